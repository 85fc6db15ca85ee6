//! AVX2, FMA and F16C.

pub(crate) mod activation;
pub(crate) mod backward;
pub(crate) mod dot;
pub(crate) mod gemm;
pub(crate) mod panel;
mod requant;
pub(crate) mod unpack;
