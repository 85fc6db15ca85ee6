//! Activations with their scalars: here, or on the device, as training leaves them there.

use cudarc::driver::{CudaSlice, CudaStream, DevicePtr, SyncOnDrop};
use xielu_kernels_simd::{Activation, ActivationKind};

use crate::Scalars;
use crate::scalars::coefficients;

/// A function with scalars on the device, made by
/// [`OnStream::freeze`](crate::OnStream::freeze).
#[derive(Debug)]
pub struct Frozen {
    pub(crate) kind: ActivationKind,
    pub(crate) scalars: CudaSlice<u64>,
}

/// A function with learned alphas, and the derivatives of these by the stored ones
/// (`sigmoid(raw)`): what gradients by the stored alphas need.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Learned {
    /// The function with its effective parameters.
    pub activation: Activation,
    /// The derivatives of `alpha_p` and of `alpha_n`.
    pub slopes: [f64; 2],
}

pub(crate) mod sealed {
    use super::*;

    pub trait Sealed {
        fn kind(&self) -> ActivationKind;
        /// The scalars for work on `stream`, and what orders that work.
        fn scalars<'a>(&'a self, stream: &'a CudaStream) -> (Scalars, Option<SyncOnDrop<'a>>);
        /// Whose memory the scalars are in.
        fn owner(&self) -> Option<&CudaSlice<u64>> {
            None
        }
    }
}

/// A function with its scalars: an [`Activation`] (whose gradients are by the effective alphas),
/// [`Learned`], or [`Frozen`] on the device.
pub trait Scaled: sealed::Sealed {}

impl Scaled for Activation {}

impl sealed::Sealed for Activation {
    fn kind(&self) -> ActivationKind {
        self.kind()
    }

    fn scalars<'a>(&'a self, _: &'a CudaStream) -> (Scalars, Option<SyncOnDrop<'a>>) {
        (self.into(), None)
    }
}

impl Scaled for Learned {}

impl sealed::Sealed for Learned {
    fn kind(&self) -> ActivationKind {
        self.activation.kind()
    }

    fn scalars<'a>(&'a self, _: &'a CudaStream) -> (Scalars, Option<SyncOnDrop<'a>>) {
        (Scalars::from(self), None)
    }
}

/// With slopes of 1: gradients are those of the effective alphas.
impl From<Activation> for Learned {
    fn from(activation: Activation) -> Self {
        Learned { activation, slopes: [1.0; 2] }
    }
}

impl From<&Learned> for Scalars {
    fn from(f: &Learned) -> Self {
        match coefficients(&f.activation) {
            Some(coefficients) => Scalars::Value { coefficients, slopes: f.slopes },
            None => Scalars::NONE,
        }
    }
}

impl Scaled for Frozen {}

impl sealed::Sealed for Frozen {
    fn kind(&self) -> ActivationKind {
        self.kind
    }

    fn scalars<'a>(&'a self, stream: &'a CudaStream) -> (Scalars, Option<SyncOnDrop<'a>>) {
        let (address, read) = self.scalars.device_ptr(stream);
        (Scalars::Device(address), Some(read))
    }

    fn owner(&self) -> Option<&CudaSlice<u64>> {
        Some(&self.scalars)
    }
}
