//! AVX-512 with byte dot products.

mod gemm_quantized;
mod gemv_quantized;
pub(crate) mod matmul;
pub(in crate::arch::x86) mod token;
mod unpack;
