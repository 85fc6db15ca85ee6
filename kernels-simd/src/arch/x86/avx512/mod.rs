//! AVX-512 (F, BW, DQ, VL).

pub(crate) mod activation;
pub(crate) mod backward;
pub(crate) mod matmul;
