//! NEON, the dot products of bytes and their matrix products (FEAT_I8MM).

mod gemm_quantized;
pub(crate) mod matmul;
mod token;
