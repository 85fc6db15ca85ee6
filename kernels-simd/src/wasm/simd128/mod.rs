//! The 128-bit vectors of WebAssembly.

pub(crate) mod activation;
pub(crate) mod backward;
mod dot;
pub(crate) mod gemm;
mod panel;
mod requant;
