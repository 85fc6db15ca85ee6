//! NEON and the dot products of bytes (FEAT_DotProd).

use core::arch::aarch64::*;
use core::arch::asm;

use super::simd;
use super::vectors::{ByteDot, sums};

mod gemm_quantized;
pub(crate) mod matmul;

/// Proof that the machine has FEAT_DotProd. Its methods are inlined into functions that enable it.
#[derive(Clone, Copy)]
struct Dotprod(());

impl Dotprod {
    /// # Safety
    /// The machine has FEAT_DotProd.
    #[inline(always)]
    unsafe fn new() -> Self {
        Dotprod(())
    }

    /// Adds to each 32-bit lane four products of signed bytes. The intrinsic is not stable.
    #[inline(always)]
    fn dot(self, sum: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
        let mut sum = sum;
        // SAFETY: a `Dotprod` exists only where the machine has this instruction, which touches
        // registers only.
        unsafe {
            asm!("sdot {sum:v}.4s, {w:v}.16b, {x:v}.16b", sum = inout(vreg) sum, w = in(vreg) w,
                x = in(vreg) x, options(pure, nomem, nostack, preserves_flags));
        }
        sum
    }

    /// As [`Dotprod::dot`] with bytes `4 * LANE ..` of `x` for every lane.
    #[inline(always)]
    fn dot_lane<const LANE: u32>(self, sum: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
        let mut sum = sum;
        // SAFETY: as in `dot`.
        unsafe {
            asm!("sdot {sum:v}.4s, {w:v}.16b, {x:v}.4b[{lane}]", sum = inout(vreg) sum,
                w = in(vreg) w, x = in(vreg) x, lane = const LANE,
                options(pure, nomem, nostack, preserves_flags));
        }
        sum
    }
}

impl ByteDot for Dotprod {
    #[inline(always)]
    fn groups(self, _largest: u8, w: [[int8x16_t; 2]; 4], x: [[int8x16_t; 2]; 4]) -> int32x4_t {
        let mut q = [simd!(vdupq_n_s32(0)); 4];
        for (q, ([w0, w1], [x0, x1])) in q.iter_mut().zip(w.into_iter().zip(x)) {
            *q = self.dot(self.dot(*q, w0, x0), w1, x1);
        }
        sums(q)
    }

    #[inline(always)]
    fn halves(self, _largest: u8, w: [int8x16_t; 4], x: [int8x16_t; 4]) -> int32x4_t {
        let mut q = [simd!(vdupq_n_s32(0)); 4];
        for (q, (w, x)) in q.iter_mut().zip(w.into_iter().zip(x)) {
            *q = self.dot(*q, w, x);
        }
        sums(q)
    }
}
