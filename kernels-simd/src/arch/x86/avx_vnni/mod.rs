//! AVX2 with byte dot products.

use core::arch::x86_64::*;

use super::avx2::dot::ByteDot;

mod gemm_quantized;
pub(crate) mod matmul;

/// Proof that the machine runs AVX2, FMA, F16C and AVX-VNNI. Its methods are inlined into
/// functions that enable these features.
#[derive(Clone, Copy)]
struct AvxVnni(());

impl AvxVnni {
    /// # Safety
    /// The machine runs AVX2, FMA, F16C and AVX-VNNI.
    #[inline(always)]
    unsafe fn new() -> Self {
        AvxVnni(())
    }
}

impl ByteDot for AvxVnni {
    #[inline(always)]
    fn dot(self, acc: __m256i, unsigned: __m256i, signed: __m256i) -> __m256i {
        // SAFETY: an `AvxVnni` exists only where the machine runs the intrinsic's features.
        unsafe { _mm256_dpbusd_avx_epi32(acc, unsigned, signed) }
    }
}
