//! NEON: what every aarch64 CPU with floating point has.

pub(crate) mod activation;
mod dot;
pub(crate) mod gemm;
mod panel;
mod requant;
