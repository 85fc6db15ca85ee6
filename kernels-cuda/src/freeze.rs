//! Scalars made on the device of the stored ones, and the calls that take them.

use cudarc::driver::{DevicePtr, DevicePtrMut};
use xielu_kernels_simd::{ActivationKind, Element};

use crate::{DType, Error, Frozen, Gradients, OnStream, RawScalars};

/// 64-bit words of a layer's scalars.
const WORDS: usize = 4;

impl Frozen {
    /// `y[i] = f(x[i])`; see [`OnStream::forward`].
    ///
    /// # Errors
    /// As [`OnStream::forward`].
    pub fn forward<T: Element>(
        &self,
        on: &OnStream<'_>,
        x: &dyn DevicePtr<T>,
        y: &mut dyn DevicePtrMut<T>,
    ) -> Result<(), Error> {
        on.forward(self, x, y)
    }

    /// `dx[i] = dy[i] * f'(x[i])`, and the gradients by the stored alphas; see
    /// [`OnStream::backward`], which adds them to others without allocating.
    ///
    /// # Errors
    /// As [`OnStream::backward`], and if the device has too little memory for the gradients.
    pub fn backward<T: Element>(
        &self,
        on: &OnStream<'_>,
        x: &dyn DevicePtr<T>,
        dy: &dyn DevicePtr<T>,
        dx: &mut dyn DevicePtrMut<T>,
    ) -> Result<Gradients, Error> {
        let mut gradients = Gradients::new(on.stream(), x.len())?;
        on.backward(self, x, dy, dx, Some(&mut gradients))?;
        Ok(gradients)
    }
}

impl OnStream<'_> {
    /// `kind` with the scalars that a checkpoint stores as `alpha_p` and `alpha_n`, one element
    /// each, made on the device: nothing is waited for. Slope at 0 is `beta`; `eps` is 0, or the
    /// reference's clamp.
    ///
    /// # Errors
    /// If the function has no alphas, a slice is not one element or belongs to another context, or
    /// the launch fails.
    pub fn freeze<T: Element>(
        &self,
        kind: ActivationKind,
        [alpha_p, alpha_n]: [&dyn DevicePtr<T>; 2],
        beta: f32,
        eps: f32,
    ) -> Result<Frozen, Error> {
        self.operand("alpha_p", 1, alpha_p)?;
        self.operand("alpha_n", 1, alpha_n)?;
        let stream = self.stream();
        let allocated = stream.alloc_zeros(WORDS);
        let mut scalars = allocated.map_err(Error::driver("allocating coefficients"))?;
        let (alpha_p, _alpha_p) = alpha_p.device_ptr(stream);
        let (alpha_n, _alpha_n) = alpha_n.device_ptr(stream);
        let (out, written) = scalars.device_ptr_mut(stream);
        let raw = RawScalars { alpha_p, alpha_n, dtype: DType::of::<T>(), beta, eps };
        // SAFETY: both alphas hold an element, `out` 32 bytes, all in this context (checked above,
        // and allocated here); their guards order the work.
        unsafe { self.raw().freeze(kind, &raw, out) }?;
        drop(written);
        Ok(Frozen { kind, scalars })
    }
}
