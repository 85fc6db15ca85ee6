//! The 128-bit vectors of WebAssembly.

pub(crate) mod activation;
pub(crate) mod attention;
pub(crate) mod backward;
mod gemm_quantized;
pub(crate) mod matmul;
mod quantize;
mod token;
mod vec128;
