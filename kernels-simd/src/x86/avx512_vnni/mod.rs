//! AVX-512 with byte dot products.

use core::arch::x86_64::*;

use super::avx2::dot::ByteDot;

mod dot;
pub(crate) mod gemm;
mod panel;

/// Proof that the machine runs AVX-512 F, BW, DQ, VL and VNNI. Its methods are inlined into
/// functions that enable these features.
#[derive(Clone, Copy)]
struct Avx512Vnni(());

impl Avx512Vnni {
    /// # Safety
    /// The machine runs AVX-512 F, BW, DQ, VL and VNNI.
    #[inline(always)]
    unsafe fn new() -> Self {
        Avx512Vnni(())
    }
}

impl ByteDot for Avx512Vnni {
    #[inline(always)]
    fn dot(self, acc: __m256i, unsigned: __m256i, signed: __m256i) -> __m256i {
        // SAFETY: an `Avx512Vnni` exists only where the machine runs the intrinsic's features.
        unsafe { _mm256_dpbusd_epi32(acc, unsigned, signed) }
    }
}
