//! What can go wrong before a kernel starts.

use std::fmt;

use cudarc::driver::DriverError;
use xielu_kernels_simd::{ActivationKind, DType};

/// An error of a device or of a call's arguments.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// No NVIDIA driver library can be loaded.
    NoDriver,
    /// The driver is older than CUDA 12.0; the version is 1000 * major + 10 * minor.
    OldDriver(i32),
    /// The device is older than compute capability 7.5; its own is 10 * major + minor.
    OldDevice(u32),
    /// The driver reported an error.
    Driver {
        /// What was being done.
        doing: &'static str,
        /// The driver's error.
        error: DriverError,
    },
    /// Slices or counts that must match do not.
    Length {
        /// Which one is wrong.
        what: &'static str,
        /// Elements expected.
        expected: u64,
        /// Elements given.
        found: u64,
    },
    /// An address is null.
    Null(&'static str),
    /// An address is not a multiple of its element's size.
    Alignment(&'static str),
    /// An output overlaps another operand without being the same memory.
    Overlap(&'static str),
    /// A buffer would end beyond the address space.
    TooLarge(u64),
    /// Q8_0 holds whole blocks of 32 values; this many are not.
    PartialBlock(u64),
    /// This function has no kernel for what is called.
    NoKernel(ActivationKind),
    /// These weights are copied as they are; only quantized ones are repacked.
    FloatWeights(DType),
    /// The inputs of a product were not kept in the form that these weights need.
    InputForm(DType),
    /// A matrix is packed for the CPU, or some of the columns of another one.
    NotWhole,
    /// Functions without alphas cannot be differentiated by them.
    NoAlphas,
    /// A slice or stream belongs to another device or context.
    OtherContext(&'static str),
    /// There are no kernels for this.
    Unsupported(&'static str),
    /// The host twins need a CPU with AVX2 and FMA.
    HostCpu,
}

impl Error {
    /// Names what was being done when the driver failed.
    pub(crate) fn driver(doing: &'static str) -> impl Fn(DriverError) -> Error {
        move |error| Error::Driver { doing, error }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoDriver => f.write_str(
                "no CUDA driver found: libcuda (nvcuda on Windows) cannot be loaded; install \
                 NVIDIA's driver or add its folder to the library path",
            ),
            Error::OldDriver(version) => write!(
                f,
                "the CUDA driver is of version {}.{}, at least 12.0 is needed",
                version / 1000,
                version % 1000 / 10
            ),
            Error::OldDevice(capability) => write!(
                f,
                "the CUDA device is of compute capability {}.{}, at least 7.5 (Turing) is needed",
                capability / 10,
                capability % 10
            ),
            // A driver that answered has the functions that name its errors.
            Error::Driver { doing, error } => {
                let text = error.error_string().ok().and_then(|s| s.to_str().ok());
                write!(f, "{doing}: {} ({:?})", text.unwrap_or("driver error"), error.0)
            }
            Error::Length { what, expected, found } => {
                write!(f, "{what} has {found} elements, expected {expected}")
            }
            Error::Null(what) => write!(f, "{what} is null"),
            Error::Alignment(what) => {
                write!(f, "{what} is not aligned to the size of its elements")
            }
            Error::Overlap(what) => {
                write!(f, "{what} overlaps another operand without being the same memory")
            }
            Error::TooLarge(n) => write!(f, "{n} elements reach beyond the address space"),
            Error::PartialBlock(n) => {
                write!(f, "{n} values are not a whole number of Q8_0 blocks of 32")
            }
            Error::NoKernel(kind) => write!(f, "there is no such CUDA kernel of {kind}"),
            Error::FloatWeights(dtype) => {
                write!(f, "{dtype} weights are copied as they are, only quantized ones repacked")
            }
            Error::InputForm(dtype) => {
                let form = if dtype.is_quantized() { "quantized" } else { "f32" };
                write!(f, "{dtype} weights take {form} inputs, which were not kept")
            }
            Error::NotWhole => f.write_str(
                "weights that are packed, or some columns of a matrix, cannot be copied to a device",
            ),
            Error::NoAlphas => f.write_str("this function has no alphas to differentiate by"),
            Error::OtherContext(what) => {
                write!(f, "{what} belongs to another device or context")
            }
            Error::Unsupported(what) => write!(f, "not supported on a CUDA device: {what}"),
            Error::HostCpu => f.write_str("the host twins need a CPU with AVX2 and FMA"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}
