//! AVX2, FMA and F16C.

pub(crate) mod activation;
pub(crate) mod attention;
pub(crate) mod backward;
pub(in crate::arch::x86) mod dot;
mod gemm_float;
mod gemm_quantized;
pub(in crate::arch::x86) mod gemv_float;
mod gemv_groups;
mod gemv_low_bits;
pub(in crate::arch::x86) mod gemv_quantized;
pub(in crate::arch::x86) mod gemv_unpacked;
pub(crate) mod matmul;
mod quantize;
pub(in crate::arch::x86) mod token;
mod unpack;
