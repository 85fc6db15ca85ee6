//! AVX-512 with byte dot products.

mod dot;
mod gemm_quantized;
pub(crate) mod matmul;
mod unpack;

/// Proof that the machine runs AVX-512 F, BW, DQ, VL and VNNI. Its methods are inlined into
/// functions that enable these features.
#[derive(Clone, Copy)]
pub(in crate::arch::x86) struct Avx512Vnni(());

impl Avx512Vnni {
    /// # Safety
    /// The machine runs AVX-512 F, BW, DQ, VL and VNNI.
    #[inline(always)]
    pub(in crate::arch::x86) unsafe fn new() -> Self {
        Avx512Vnni(())
    }
}
