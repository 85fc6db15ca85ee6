//! What every instruction set shares, written once over vectors ([`simd::Simd`]).

pub(crate) mod accumulate;
pub(crate) mod activation;
pub(crate) mod activation_backward;
pub(crate) mod activation_derivative;
pub(crate) mod activation_forward;
pub(crate) mod alpha_sums;
pub(crate) mod attention;
pub(crate) mod dispatch;
pub(crate) mod elementwise;
pub(crate) mod exp;
pub(crate) mod gemm_float;
pub(crate) mod gemm_quantized;
pub(crate) mod gemv;
pub(crate) mod kv_element;
pub(crate) mod matmul;
pub(crate) mod pack;
pub(crate) mod panel;
pub(crate) mod parameters;
pub(crate) mod prefetch;
pub(crate) mod quantize;
pub(crate) mod row_sum;
pub(crate) mod simd;
#[cfg(any(test, xielu_soft))]
pub(crate) mod soft_float;
pub(crate) mod softmax;
pub(crate) mod unpacked;
