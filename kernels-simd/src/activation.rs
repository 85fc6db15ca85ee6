//! The activations on slices: lengths are checked here, before a kernel runs.

use crate::arch::scalar::token::Scalar;
use crate::element::Element;
use crate::generic::activation_forward::activate;
use crate::generic::parameters::Activation;
use crate::kernels::{Kernels, LengthError, same_length};

impl Activation {
    /// `f(x)`, the same bits as the slice kernels of every instruction set. A NaN result is the
    /// quiet NaN `0x7fc00000`.
    pub fn apply(self, x: f32) -> f32 {
        let mut y = x;
        let p = &raw mut y;
        // SAFETY: source and destination are the same one element.
        unsafe { activate(Scalar, &self, p, p, 1) };
        y
    }
}

impl Kernels {
    /// `y[i] = f(x[i])`.
    ///
    /// # Errors
    /// If the lengths differ; nothing is written.
    pub fn activate<T: Element>(
        &self,
        f: &Activation,
        x: &[T],
        y: &mut [T],
    ) -> Result<(), LengthError> {
        same_length(x.len(), y.len())?;
        // SAFETY: both slices hold `x.len()` elements and cannot overlap; this machine runs
        // `self.isa()` (checked when `self` was made).
        unsafe {
            T::forward_kernel(self.activation_table())(f, x.as_ptr(), y.as_mut_ptr(), x.len())
        };
        Ok(())
    }

    /// `x[i] = f(x[i])`.
    pub fn activate_in_place<T: Element>(&self, f: &Activation, x: &mut [T]) {
        let p = x.as_mut_ptr();
        // SAFETY: source and destination are the same `x.len()` elements; this machine runs
        // `self.isa()` (checked when `self` was made).
        unsafe { T::forward_kernel(self.activation_table())(f, p, p, x.len()) };
    }

    /// `y[i] = silu(gate[i]) * up[i]`.
    ///
    /// # Errors
    /// If the lengths differ; nothing is written.
    pub fn swiglu<T: Element>(
        &self,
        [gate, up]: [&[T]; 2],
        y: &mut [T],
    ) -> Result<(), LengthError> {
        same_length(gate.len(), up.len())?;
        same_length(gate.len(), y.len())?;
        // SAFETY: the three slices hold `gate.len()` elements and `y` overlaps neither source;
        // this machine runs `self.isa()` (checked when `self` was made).
        unsafe {
            T::swiglu_kernel(self.activation_table())(
                gate.as_ptr(),
                up.as_ptr(),
                y.as_mut_ptr(),
                gate.len(),
            )
        };
        Ok(())
    }

    /// `up[i] = silu(gate[i]) * up[i]`.
    ///
    /// # Errors
    /// If the lengths differ; nothing is written.
    pub fn swiglu_in_place<T: Element>(&self, gate: &[T], up: &mut [T]) -> Result<(), LengthError> {
        same_length(gate.len(), up.len())?;
        let p = up.as_mut_ptr();
        // SAFETY: both slices hold `gate.len()` elements, what is written equals `up` and does not
        // overlap `gate`; this machine runs `self.isa()` (checked when `self` was made).
        unsafe { T::swiglu_kernel(self.activation_table())(gate.as_ptr(), p, p, gate.len()) };
        Ok(())
    }
}
