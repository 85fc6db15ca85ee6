//! Vectors of 128 bits: what aarch64 and WebAssembly must offer for dot products to be written
//! once.

mod gemv_float;
mod gemv_groups;
mod gemv_low_bits;
mod gemv_quantized;
mod gemv_unpacked;
mod matmul;
mod quantize;
mod vector;

use gemv_float::{Float, FloatWeight, transpose};
pub(crate) use gemv_quantized::{Q4_0, Q4_K, Q5_K, Q6_K, Q8_0};
use gemv_unpacked::Looking;
pub(crate) use gemv_unpacked::product_unpacked;
#[cfg(target_arch = "aarch64")]
pub(crate) use matmul::format;
pub(crate) use matmul::{Baseline, table};
pub(crate) use quantize::Quantize;
use quantize::{quantize_groups, quantize_q8_0};
pub(crate) use vector::Vec128;
