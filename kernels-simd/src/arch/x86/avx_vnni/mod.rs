//! AVX2 with byte dot products.

mod gemm_quantized;
pub(crate) mod matmul;
mod token;
