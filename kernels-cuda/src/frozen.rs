//! Activations whose scalars are on the device, as training leaves them there.

use std::sync::Arc;

use cudarc::driver::{CudaSlice, CudaStream, DevicePtr, DevicePtrMut, SyncOnDrop};

use crate::{Activation, Cuda, Element, Error, Function, RawScalars, Scalars};

/// 64-bit words of [`Coefficients`](crate::Coefficients).
const WORDS: usize = 4;

/// A function with scalars on the device, made by [`Cuda::freeze`].
#[derive(Debug)]
pub struct Frozen {
    function: Function,
    coefficients: CudaSlice<u64>,
}

pub(crate) mod sealed {
    use super::*;

    pub trait Sealed {
        fn function(&self) -> Function;
        /// The scalars for work on `stream`, and what orders that work.
        fn scalars<'a>(&'a self, stream: &'a CudaStream) -> (Scalars, Option<SyncOnDrop<'a>>);
        /// Whose memory the scalars are in.
        fn owner(&self) -> Option<&CudaSlice<u64>>;
    }
}

/// A function with its scalars: an [`Activation`], or [`Frozen`] on the device.
pub trait Scaled: sealed::Sealed {}

impl Scaled for Activation {}

impl sealed::Sealed for Activation {
    fn function(&self) -> Function {
        self.function
    }

    fn scalars<'a>(&'a self, _: &'a CudaStream) -> (Scalars, Option<SyncOnDrop<'a>>) {
        (Scalars::Value(self.coefficients), None)
    }

    fn owner(&self) -> Option<&CudaSlice<u64>> {
        None
    }
}

impl Scaled for Frozen {}

impl sealed::Sealed for Frozen {
    fn function(&self) -> Function {
        self.function
    }

    fn scalars<'a>(&'a self, stream: &'a CudaStream) -> (Scalars, Option<SyncOnDrop<'a>>) {
        let (address, read) = self.coefficients.device_ptr(stream);
        (Scalars::Device(address), Some(read))
    }

    fn owner(&self) -> Option<&CudaSlice<u64>> {
        Some(&self.coefficients)
    }
}

impl Cuda {
    /// `function` with the scalars that a checkpoint stores as `alpha_p` and `alpha_n`, one
    /// element each, made on the device: nothing is waited for. Slope at 0 is `beta`; `eps` is 0,
    /// or the reference's clamp.
    ///
    /// # Errors
    /// If `function` has no scalars, a slice is not one element or belongs to another context, or
    /// the launch fails.
    pub fn freeze<T: Element>(
        &self,
        stream: &Arc<CudaStream>,
        function: Function,
        [alpha_p, alpha_n]: [&impl DevicePtr<T>; 2],
        beta: f32,
        eps: f32,
    ) -> Result<Frozen, Error> {
        self.owns("the stream", stream.context())?;
        self.operand("alpha_p", 1, alpha_p)?;
        self.operand("alpha_n", 1, alpha_n)?;
        let allocated = stream.alloc_zeros(WORDS);
        let mut coefficients = allocated.map_err(Error::driver("allocating coefficients"))?;
        let (alpha_p, _alpha_p) = alpha_p.device_ptr(stream);
        let (alpha_n, _alpha_n) = alpha_n.device_ptr(stream);
        let (out, written) = coefficients.device_ptr_mut(stream);
        let raw = RawScalars { alpha_p, alpha_n, dtype: T::DTYPE, beta, eps };
        // SAFETY: both alphas hold an element, `out` the coefficients' 32 bytes, all in this
        // context; their guards order the work.
        unsafe { self.raw(stream).freeze(function, &raw, out) }?;
        drop(written);
        Ok(Frozen { function, coefficients })
    }

    /// Refuses scalars of another context.
    pub(crate) fn scalars_of(&self, f: &impl Scaled) -> Result<(), Error> {
        match f.owner() {
            Some(slice) => self.owns("the scalars", slice.stream().context()),
            None => Ok(()),
        }
    }
}
