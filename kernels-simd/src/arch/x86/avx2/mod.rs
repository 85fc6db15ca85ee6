//! AVX2, FMA and F16C.

pub(crate) mod activation;
pub(crate) mod backward;
pub(crate) mod dot;
pub(crate) mod gemm_quantized;
pub(crate) mod matmul;
mod quantize;
pub(crate) mod unpack;
