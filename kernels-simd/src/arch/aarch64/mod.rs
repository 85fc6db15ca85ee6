//! Kernels for aarch64.

pub(super) mod detect;
pub(crate) mod dotprod;
mod gemm_quantized;
pub(crate) mod i8mm;
pub(crate) mod neon;
mod vec128;
