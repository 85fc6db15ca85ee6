//! The proof that the machine runs AVX-VNNI beside AVX2.

use core::arch::x86_64::*;

use crate::arch::x86::avx2::dot::ByteDot;
use crate::arch::x86::avx2::token::Avx2;

/// Compiles functions with the features that [`AvxVnni`] proves: the one place that names them.
macro_rules! compile {
    ($($item:item)*) => { $(#[target_feature(enable = "avx2,fma,f16c,avxvnni")] $item)* };
}
pub(super) use compile;

/// Proof that the machine runs AVX2, FMA, F16C and AVX-VNNI. Its methods are inlined into
/// functions that enable these features.
#[derive(Clone, Copy)]
pub(super) struct AvxVnni {
    avx2: Avx2,
}

impl AvxVnni {
    compile! {
        /// The compiler lets only functions call this that are compiled with these features, and
        /// those are called only where [`detect`](crate::arch::x86::detect) has found them.
        #[inline]
        pub(super) fn new() -> Self {
            AvxVnni { avx2: Avx2::new() }
        }
    }
}

impl ByteDot for AvxVnni {
    #[inline(always)]
    fn avx2(self) -> Avx2 {
        self.avx2
    }

    #[inline(always)]
    fn dot(self, acc: __m256i, unsigned: __m256i, signed: __m256i) -> __m256i {
        // SAFETY: `self` is the proof that the machine runs AVX-VNNI.
        unsafe { _mm256_dpbusd_avx_epi32(acc, unsigned, signed) }
    }
}
