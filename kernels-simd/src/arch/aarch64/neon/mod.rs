//! NEON: what every aarch64 CPU with floating point has.

pub(crate) mod activation;
pub(crate) mod backward;
mod dot;
mod gemm_quantized;
pub(crate) mod matmul;
mod quantize;
