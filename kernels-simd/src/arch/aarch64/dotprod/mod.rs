//! NEON and the dot products of bytes (FEAT_DotProd).

mod gemm_quantized;
mod gemv_quantized;
pub(crate) mod matmul;
mod token;
