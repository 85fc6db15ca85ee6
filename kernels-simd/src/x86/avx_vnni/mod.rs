//! AVX2 with byte dot products.

pub(crate) mod gemm;
