//! The proof that the machine has FEAT_DotProd, the dot products of bytes.

use core::arch::aarch64::*;
use core::arch::asm;

/// Compiles functions with the features that [`Dotprod`] stands for: the one place that names them.
macro_rules! compile {
    ($($item:item)*) => { $(#[target_feature(enable = "dotprod")] $item)* };
}
pub(super) use compile;

/// Proof that the machine has FEAT_DotProd. Its methods are inlined into functions that enable it.
#[derive(Clone, Copy)]
pub(super) struct Dotprod(());

impl Dotprod {
    compile! {
        /// The compiler lets only functions call this that are compiled with these features, and
        /// those are called only where [`detect`](crate::arch::aarch64::detect) has found them.
        #[inline]
        pub(super) fn new() -> Self {
            Dotprod(())
        }
    }

    /// Adds to each 32-bit lane four products of signed bytes. The intrinsic is not stable.
    #[inline(always)]
    pub(super) fn dot(self, sum: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
        let mut sum = sum;
        // SAFETY: `self` is the proof that the machine has FEAT_DotProd; the instruction touches
        // registers only.
        unsafe {
            asm!("sdot {sum:v}.4s, {w:v}.16b, {x:v}.16b", sum = inout(vreg) sum, w = in(vreg) w,
                x = in(vreg) x, options(pure, nomem, nostack, preserves_flags));
        }
        sum
    }

    /// As [`Dotprod::dot`] with bytes `4 * LANE ..` of `x` for every lane.
    #[inline(always)]
    pub(super) fn dot_lane<const LANE: u32>(
        self,
        sum: int32x4_t,
        w: int8x16_t,
        x: int8x16_t,
    ) -> int32x4_t {
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
