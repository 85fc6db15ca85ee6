//! The proof that the machine has FEAT_I8MM, the matrix products of bytes, beside FEAT_DotProd.

use core::arch::aarch64::*;
use core::arch::asm;

/// Compiles functions with the features that [`I8mm`] stands for: the one place that names them.
macro_rules! compile {
    ($($item:item)*) => { $(#[target_feature(enable = "dotprod,i8mm")] $item)* };
}
pub(super) use compile;

/// Proof that the machine has FEAT_DotProd and FEAT_I8MM. Its methods are inlined into functions
/// that enable it.
#[derive(Clone, Copy)]
pub(super) struct I8mm(());

impl I8mm {
    compile! {
        /// The compiler lets only functions call this that are compiled with these features, and
        /// those are called only where [`detect`](crate::arch::aarch64::detect) has found them.
        #[inline]
        pub(super) fn new() -> Self {
            I8mm(())
        }
    }

    /// Adds `w[i] . x[j]`, of eight signed bytes, to lane `2 * i + j`. The intrinsic is not stable.
    #[inline(always)]
    pub(super) fn matmul(self, sum: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
        let mut sum = sum;
        // SAFETY: `self` is the proof that the machine has FEAT_I8MM; the instruction touches
        // registers only.
        unsafe {
            asm!("smmla {sum:v}.4s, {w:v}.16b, {x:v}.16b", sum = inout(vreg) sum, w = in(vreg) w,
                x = in(vreg) x, options(pure, nomem, nostack, preserves_flags));
        }
        sum
    }
}
