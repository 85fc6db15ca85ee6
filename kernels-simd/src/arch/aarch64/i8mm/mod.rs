//! NEON, the dot products of bytes and their matrix products (FEAT_I8MM).

use core::arch::aarch64::*;
use core::arch::asm;

mod gemm_quantized;
pub(crate) mod matmul;

/// Proof that the machine has FEAT_I8MM. Its methods are inlined into functions that enable it.
#[derive(Clone, Copy)]
struct I8mm(());

impl I8mm {
    /// # Safety
    /// The machine has FEAT_I8MM.
    #[inline(always)]
    unsafe fn new() -> Self {
        I8mm(())
    }

    /// Adds `w[i] . x[j]`, of eight signed bytes, to lane `2 * i + j`. The intrinsic is not stable.
    #[inline(always)]
    fn matmul(self, sum: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
        let mut sum = sum;
        // SAFETY: an `I8mm` exists only where the machine has this instruction, which touches
        // registers only.
        unsafe {
            asm!("smmla {sum:v}.4s, {w:v}.16b, {x:v}.16b", sum = inout(vreg) sum, w = in(vreg) w,
                x = in(vreg) x, options(pure, nomem, nostack, preserves_flags));
        }
        sum
    }
}
