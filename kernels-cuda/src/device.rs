//! A device with its kernels.

use std::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError};

use cudarc::driver::sys::{CUdevice_attribute, CUstream};
use cudarc::driver::{CudaContext, CudaFunction, CudaStream, result, sys};
use cudarc::nvrtc::Ptx;

use crate::kernel::OLDEST_DEVICE;
use crate::launch::THREADS;
use crate::{Error, Kernel, Launch, Raw};

/// Most blocks launched for each multiprocessor, several times what runs at once: those that
/// wait fill the gaps, and the longer ones come first.
const BLOCKS_EACH: u64 = 64;
/// The driver's version whose functions are used: CUDA 12.0.
const OLDEST_DRIVER: i32 = 12_000;

/// A device with its kernels. A kernel is compiled by the driver when it is first used; the driver
/// keeps the result on disk for the next time.
pub struct Cuda {
    context: Arc<CudaContext>,
    blocks: u64,
    capability: u32,
    kernels: Mutex<Vec<Option<Vec<CudaFunction>>>>,
}

impl std::fmt::Debug for Cuda {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cuda").field("device", &self.context.ordinal()).finish_non_exhaustive()
    }
}

/// The driver's library, by names that cudarc knows too.
const DRIVERS: &[&str] =
    if cfg!(windows) { &["nvcuda.dll"] } else { &["libcuda.so", "libcuda.so.1"] };

/// Fails where calling into the driver would panic.
fn check_driver() -> Result<(), Error> {
    // cudarc's own question is not there where another crate has it link the driver.
    // SAFETY: loads the driver's library and runs its initialisers, as every use of CUDA does.
    if !DRIVERS.iter().any(|name| unsafe { libloading::Library::new(*name) }.is_ok()) {
        return Err(Error::NoDriver);
    }
    let mut version = 0;
    // SAFETY: the library is there, every version has this function, and the pointer is valid.
    unsafe { sys::cuDriverGetVersion(&raw mut version) }
        .result()
        .map_err(Error::driver("asking for the driver's version"))?;
    if version < OLDEST_DRIVER { Err(Error::OldDriver(version)) } else { Ok(()) }
}

/// 10 * major + minor.
fn capability_of(context: &CudaContext) -> Result<u32, Error> {
    let (major, minor) = context
        .compute_capability()
        .map_err(Error::driver("asking for the device's compute capability"))?;
    Ok(u32::try_from(10 * major + minor).unwrap_or(0))
}

impl Cuda {
    /// The device of this number, in its primary context (the one frameworks use).
    ///
    /// # Errors
    /// [`Error::NoDriver`] where there is none, [`Error::OldDriver`], [`Error::OldDevice`], or what
    /// the driver reports, such as no device of this number.
    pub fn new(device: usize) -> Result<Cuda, Error> {
        check_driver()?;
        let context = CudaContext::new(device).map_err(Error::driver("opening the CUDA device"))?;
        Cuda::with_context(context)
    }

    /// The kernels in a context that exists already.
    ///
    /// # Errors
    /// As [`Cuda::new`].
    pub fn with_context(context: Arc<CudaContext>) -> Result<Cuda, Error> {
        check_driver()?;
        let multiprocessors = context
            .attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)
            .map_err(Error::driver("asking for the number of multiprocessors"))?;
        let blocks = u64::try_from(multiprocessors).unwrap_or(1) * BLOCKS_EACH;
        let kernels = Mutex::new(vec![None; Kernel::ALL.len()]);
        let capability = capability_of(&context)?;
        if capability < OLDEST_DEVICE {
            return Err(Error::OldDevice(capability));
        }
        Ok(Cuda { context, blocks, capability, kernels })
    }

    /// The context, for streams and memory.
    pub fn context(&self) -> &Arc<CudaContext> {
        &self.context
    }

    /// Bytes of the device's memory that are free.
    ///
    /// # Errors
    /// What the driver reports.
    pub fn free_memory(&self) -> Result<u64, Error> {
        let info = self.context.mem_get_info();
        let (free, _) = info.map_err(Error::driver("asking for the free memory"))?;
        Ok(free as u64)
    }

    /// What the driver calls the device.
    ///
    /// # Errors
    /// What the driver reports.
    pub fn name(&self) -> Result<String, Error> {
        self.context.name().map_err(Error::driver("asking for the device's name"))
    }

    /// The kernels on addresses, queued on `stream`.
    pub fn raw<'a>(&'a self, stream: &'a CudaStream) -> Raw<Stream<'a>> {
        Raw(Stream { cuda: self, stream: stream.cu_stream() })
    }

    /// The kernels on addresses, queued on a stream that another library owns (null: the default
    /// stream).
    ///
    /// # Safety
    /// `stream` is null or a stream of this context, and outlives the returned value's use.
    pub unsafe fn raw_on(&self, stream: *mut c_void) -> Raw<Stream<'_>> {
        Raw(Stream { cuda: self, stream: stream.cast() })
    }

    /// Its compute capability, as 10 * major + minor.
    pub fn capability(&self) -> u32 {
        self.capability
    }

    /// The kernels that the device can run.
    fn kernels(&self) -> impl Iterator<Item = Kernel> {
        Kernel::ALL.iter().copied().filter(|kernel| kernel.capability() <= self.capability)
    }

    /// Compiles every kernel that the device can run now, so that no later call does.
    ///
    /// # Errors
    /// If the driver cannot compile one.
    pub fn load_all(&self) -> Result<(), Error> {
        for kernel in self.kernels() {
            self.function(kernel, 0)?;
        }
        Ok(())
    }

    /// Registers and bytes of local memory (where spilled registers go) of every entry point.
    ///
    /// # Errors
    /// If the driver cannot compile one.
    pub fn resources(&self) -> Result<Vec<(&'static str, i32, i32)>, Error> {
        let mut all = Vec::new();
        for kernel in self.kernels() {
            for (entry, &name) in kernel.entries().iter().enumerate() {
                let function = self.function(kernel, entry)?;
                let doing = Error::driver("asking for a kernel's resources");
                let registers = function.num_regs().map_err(&doing)?;
                all.push((name, registers, function.local_size_bytes().map_err(&doing)?));
            }
        }
        Ok(all)
    }

    fn function(&self, kernel: Kernel, entry: usize) -> Result<CudaFunction, Error> {
        let mut kernels = self.kernels.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = &mut kernels[kernel as usize];
        if slot.is_none() {
            *slot = Some(self.load(kernel)?);
        }
        Ok(slot.iter().flatten().nth(entry).expect("every kernel has this entry").clone())
    }

    fn load(&self, kernel: Kernel) -> Result<Vec<CudaFunction>, Error> {
        let doing = Error::driver("compiling a kernel for the device");
        let module = self.context.load_module(Ptx::from_src(kernel.ptx())).map_err(&doing)?;
        kernel.entries().iter().map(|name| module.load_function(name).map_err(&doing)).collect()
    }
}

/// A stream of a device: the [`Launch`] of [`Cuda::raw`].
#[derive(Clone, Copy, Debug)]
pub struct Stream<'a> {
    cuda: &'a Cuda,
    stream: CUstream,
}

// SAFETY: `launch` queues the one kernel.
unsafe impl Launch for Stream<'_> {
    fn blocks(&self) -> u64 {
        self.cuda.blocks
    }

    fn capability(&self) -> u32 {
        self.cuda.capability
    }

    unsafe fn launch(
        &self,
        kernel: Kernel,
        entry: usize,
        blocks: u32,
        args: *const c_void,
    ) -> Result<(), Error> {
        let doing = Error::driver("launching a kernel");
        self.cuda.context.bind_to_thread().map_err(&doing)?;
        let function = self.cuda.function(kernel, entry)?;
        let mut params = [args.cast_mut()];
        // SAFETY: the function lives as long as the device; the stream is one of the context
        // (`raw` and `raw_on`); the kernel takes one struct, which the driver copies now; the
        // caller vouches for the struct and the addresses in it.
        unsafe {
            result::launch_kernel(
                function.cu_function(),
                (blocks, 1, 1),
                (THREADS, 1, 1),
                0,
                self.stream,
                &mut params,
            )
        }
        .map_err(doing)
    }
}
