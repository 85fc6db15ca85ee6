//! NEON: what every aarch64 CPU with floating point has.

pub(crate) mod activation;
pub(crate) mod attention;
pub(crate) mod backward;
mod gemm_quantized;
mod gemv_quantized;
pub(crate) mod matmul;
mod quantize;
pub(super) mod token;
