//! The gradients on slices: lengths are checked here, before a kernel runs.

#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
use crate::arch::aarch64::neon;
use crate::arch::isa::Isa;
use crate::arch::scalar;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use crate::arch::wasm::simd128;
#[cfg(target_arch = "x86_64")]
use crate::arch::x86::{avx2, avx512};
use crate::element::Element;
use crate::generic::activation_backward::Table;
use crate::generic::alpha_sums::{AlphaSums, TILE};
use crate::generic::parameters::{Activation, ActivationKind};
use crate::kernels::{Kernels, LengthError, same_length};

/// Why there are no gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackwardError {
    /// Two slices that must match in length do not.
    Length(LengthError),
    /// The function has no gradient kernel.
    NoGradient(ActivationKind),
}

impl From<LengthError> for BackwardError {
    fn from(e: LengthError) -> Self {
        BackwardError::Length(e)
    }
}

crate::messages!(BackwardError {
    BackwardError::Length(e) => ("{}", e),
    BackwardError::NoGradient(kind) => ("{} has no gradient kernel", kind),
});

impl core::error::Error for BackwardError {}

impl Kernels {
    /// Found anew by each call, not kept: what never calls it does not link these kernels.
    fn gradients(&self) -> &'static Table {
        match self.isa() {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 | Isa::AvxVnni => &avx2::backward::TABLE,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 | Isa::Avx512Vnni | Isa::Amx => &avx512::backward::TABLE,
            #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
            Isa::Neon | Isa::Dotprod | Isa::I8mm => &neon::backward::TABLE,
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Isa::Simd128 => &simd128::backward::TABLE,
            #[allow(unreachable_patterns)] // where they have kernels
            // Named, so that a new one is not forgotten.
            Isa::Scalar | Isa::Neon | Isa::Dotprod | Isa::I8mm | Isa::Simd128 => {
                &scalar::backward::TABLE
            }
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx2 | Isa::AvxVnni | Isa::Avx512 | Isa::Avx512Vnni | Isa::Amx => {
                &scalar::backward::TABLE
            }
        }
    }

    /// `dx[i] = dy[i] * f'(x[i])` and, if `f` has learned alphas, in `sums[t]` the sums of tile `t`,
    /// which are the [`AlphaSums::TILE`] elements from `t * TILE` on, or fewer at the end.
    ///
    /// # Errors
    /// If `x`, `dy` and `dx` differ in length, there is not one of `sums` for every tile (none
    /// where `f` has no alphas), or `f` has no gradient kernel; nothing is written.
    pub fn backward<T: Element>(
        &self,
        f: &Activation,
        x: &[T],
        dy: &[T],
        dx: &mut [T],
        sums: &mut [AlphaSums],
    ) -> Result<(), BackwardError> {
        let kind = f.kind();
        same_length(x.len(), dy.len())?;
        same_length(x.len(), dx.len())?;
        same_length(if kind.has_alphas() { x.len().div_ceil(TILE) } else { 0 }, sums.len())?;
        let x_dy = [x.as_ptr(), dy.as_ptr()];
        // SAFETY: the slices hold `x.len()` elements, `sums` one for each tile if the function has
        // alphas, and what is written overlaps nothing; this machine runs `self.isa()` (checked
        // when `self` was made).
        let done = unsafe {
            (T::gradient_kernels(self.gradients()).backward)(
                f,
                x_dy,
                dx.as_mut_ptr(),
                x.len(),
                sums.as_mut_ptr(),
            )
        };
        if done { Ok(()) } else { Err(BackwardError::NoGradient(kind)) }
    }

    /// `d_gate[i] = dy[i] * up[i] * silu'(gate[i])` and `d_up[i] = dy[i] * silu(gate[i])`.
    ///
    /// # Errors
    /// If the lengths differ; nothing is written.
    pub fn swiglu_backward<T: Element>(
        &self,
        [gate, up]: [&[T]; 2],
        dy: &[T],
        [d_gate, d_up]: [&mut [T]; 2],
    ) -> Result<(), LengthError> {
        for len in [up.len(), dy.len(), d_gate.len(), d_up.len()] {
            same_length(gate.len(), len)?;
        }
        let from = [gate.as_ptr(), up.as_ptr(), dy.as_ptr()];
        let to = [d_gate.as_mut_ptr(), d_up.as_mut_ptr()];
        // SAFETY: the slices hold `gate.len()` elements and what is written overlaps nothing; this
        // machine runs `self.isa()` (checked when `self` was made).
        unsafe { (T::gradient_kernels(self.gradients()).swiglu)(from, to, gate.len()) };
        Ok(())
    }
}
