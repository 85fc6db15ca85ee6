//! NEON: what every aarch64 CPU with floating point has.

pub(crate) mod activation;
pub(crate) mod backward;
mod dot;
pub(crate) mod gemm;
mod panel;
mod requant;
