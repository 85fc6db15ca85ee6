//! AVX-512 (F, BW, DQ, VL). Products still run on the AVX2 kernels.

pub(crate) mod activation;
