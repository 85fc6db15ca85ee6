//! AVX-512 (F, BW, DQ, VL).

pub(crate) mod activation;
pub(crate) mod attention;
pub(crate) mod backward;
mod gemm_float;
pub(crate) mod matmul;
pub(in crate::arch::x86) mod token;
