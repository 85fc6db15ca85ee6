//! The activations on slices: lengths are checked here, before a kernel runs.

use half::{bf16, f16};

use crate::arch::scalar::token::Scalar;
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

/// Defines, for one storage type, the safe forms of its activation kernels.
macro_rules! activation_methods {
    ($t:ty, $table:ident, $swiglu_table:ident, $apply:ident, $in_place:ident,
     $swiglu:ident, $swiglu_in_place:ident) => {
        /// `dst[i] = f(src[i])`.
        ///
        /// # Errors
        /// If the lengths differ; nothing is written.
        pub fn $apply(
            &self,
            f: &Activation,
            src: &[$t],
            dst: &mut [$t],
        ) -> Result<(), LengthError> {
            same_length(src.len(), dst.len())?;
            // SAFETY: both slices hold `src.len()` elements and cannot overlap; this machine
            // runs `self.isa()` (checked when `self` was made).
            unsafe {
                (self.activation_table().$table)(f, src.as_ptr(), dst.as_mut_ptr(), src.len())
            };
            Ok(())
        }

        /// `x[i] = f(x[i])`.
        pub fn $in_place(&self, f: &Activation, x: &mut [$t]) {
            let p = x.as_mut_ptr();
            // SAFETY: source and destination are the same `x.len()` elements; this machine runs
            // `self.isa()` (checked when `self` was made).
            unsafe { (self.activation_table().$table)(f, p, p, x.len()) };
        }

        /// `dst[i] = silu(gate[i]) * up[i]`.
        ///
        /// # Errors
        /// If the lengths differ; nothing is written.
        pub fn $swiglu(&self, gate: &[$t], up: &[$t], dst: &mut [$t]) -> Result<(), LengthError> {
            same_length(gate.len(), up.len())?;
            same_length(gate.len(), dst.len())?;
            // SAFETY: the three slices hold `gate.len()` elements and `dst` overlaps neither
            // source; this machine runs `self.isa()` (checked when `self` was made).
            unsafe {
                (self.activation_table().$swiglu_table)(
                    gate.as_ptr(),
                    up.as_ptr(),
                    dst.as_mut_ptr(),
                    gate.len(),
                )
            };
            Ok(())
        }

        /// `up[i] = silu(gate[i]) * up[i]`.
        ///
        /// # Errors
        /// If the lengths differ; nothing is written.
        pub fn $swiglu_in_place(&self, gate: &[$t], up: &mut [$t]) -> Result<(), LengthError> {
            same_length(gate.len(), up.len())?;
            let p = up.as_mut_ptr();
            // SAFETY: both slices hold `gate.len()` elements, `dst` equals `up` and does not
            // overlap `gate`; this machine runs `self.isa()` (checked when `self` was made).
            unsafe { (self.activation_table().$swiglu_table)(gate.as_ptr(), p, p, gate.len()) };
            Ok(())
        }
    };
}

impl Kernels {
    activation_methods!(
        f32,
        f32,
        swiglu_f32,
        activate_f32,
        activate_f32_in_place,
        swiglu_f32,
        swiglu_f32_in_place
    );
    activation_methods!(
        bf16,
        bf16,
        swiglu_bf16,
        activate_bf16,
        activate_bf16_in_place,
        swiglu_bf16,
        swiglu_bf16_in_place
    );
    activation_methods!(
        f16,
        f16,
        swiglu_f16,
        activate_f16,
        activate_f16_in_place,
        swiglu_f16,
        swiglu_f16_in_place
    );
}
