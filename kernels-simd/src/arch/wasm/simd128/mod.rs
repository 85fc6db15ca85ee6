//! The 128-bit vectors of WebAssembly.

pub(crate) mod activation;
pub(crate) mod backward;
mod dot;
mod gemm_quantized;
pub(crate) mod matmul;
mod quantize;
