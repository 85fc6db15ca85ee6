//! The safe door to the gradient kernels.

use half::{bf16, f16};

#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
use crate::arch::aarch64::neon;
use crate::arch::isa::Isa;
use crate::arch::scalar;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use crate::arch::wasm::simd128;
#[cfg(target_arch = "x86_64")]
use crate::arch::x86::{avx2, avx512};
use crate::generic::activation_backward::Table;
use crate::generic::alpha_sums::{AlphaSums, TILE};
use crate::generic::parameters::LearnedActivation;
use crate::kernels::{Kernels, LengthError, same_length};

/// Defines, for one storage type, the safe forms of its gradient kernels.
macro_rules! gradient_methods {
    ($t:ty, $table:ident, $learned:ident, $relu2:ident, $swiglu:ident) => {
        /// `dx[i] = dy[i] * f'(x[i])`, and in `sums[t]` the sums of tile `t`, which are the
        /// [`AlphaSums::TILE`] elements from `t * TILE` on, or fewer at the end.
        ///
        /// # Errors
        /// If `x`, `dy` and `dx` differ in length, or there is not one of `sums` for every tile;
        /// nothing is written.
        pub fn $learned(
            &self,
            f: &LearnedActivation,
            x: &[$t],
            dy: &[$t],
            dx: &mut [$t],
            sums: &mut [AlphaSums],
        ) -> Result<(), LengthError> {
            same_length(x.len(), dy.len())?;
            same_length(x.len(), dx.len())?;
            same_length(x.len().div_ceil(TILE), sums.len())?;
            let x_dy = [x.as_ptr(), dy.as_ptr()];
            // SAFETY: the slices hold `x.len()` elements, `sums` one for each tile, and what is
            // written overlaps nothing; this machine runs `self.isa()` (checked when `self` was
            // made).
            unsafe {
                (self.gradients().$table.learned)(
                    f,
                    x_dy,
                    dx.as_mut_ptr(),
                    x.len(),
                    sums.as_mut_ptr(),
                )
            };
            Ok(())
        }

        /// `dx[i] = dy[i] * 2*max(0, x[i])`.
        ///
        /// # Errors
        /// If the lengths differ; nothing is written.
        pub fn $relu2(&self, x: &[$t], dy: &[$t], dx: &mut [$t]) -> Result<(), LengthError> {
            same_length(x.len(), dy.len())?;
            same_length(x.len(), dx.len())?;
            let x_dy = [x.as_ptr(), dy.as_ptr()];
            // SAFETY: the slices hold `x.len()` elements and `dx` overlaps neither other; this
            // machine runs `self.isa()` (checked when `self` was made).
            unsafe { (self.gradients().$table.relu2)(x_dy, dx.as_mut_ptr(), x.len()) };
            Ok(())
        }

        /// `d_gate[i] = dy[i] * up[i] * silu'(gate[i])` and `d_up[i] = dy[i] * silu(gate[i])`.
        ///
        /// # Errors
        /// If the lengths differ; nothing is written.
        pub fn $swiglu(
            &self,
            [gate, up, dy]: [&[$t]; 3],
            [d_gate, d_up]: [&mut [$t]; 2],
        ) -> Result<(), LengthError> {
            for len in [up.len(), dy.len(), d_gate.len(), d_up.len()] {
                same_length(gate.len(), len)?;
            }
            let from = [gate.as_ptr(), up.as_ptr(), dy.as_ptr()];
            let to = [d_gate.as_mut_ptr(), d_up.as_mut_ptr()];
            // SAFETY: the slices hold `gate.len()` elements and what is written overlaps nothing;
            // this machine runs `self.isa()` (checked when `self` was made).
            unsafe { (self.gradients().$table.swiglu)(from, to, gate.len()) };
            Ok(())
        }
    };
}

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

    gradient_methods!(f32, f32, backward_f32, relu2_backward_f32, swiglu_backward_f32);
    gradient_methods!(bf16, bf16, backward_bf16, relu2_backward_bf16, swiglu_backward_bf16);
    gradient_methods!(f16, f16, backward_f16, relu2_backward_f16, swiglu_backward_f16);
}
