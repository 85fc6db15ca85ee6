//! Quantizing: f32 values to the block formats, and how much that loses.
//!
//! The encoders are ggml's reference ones, to the byte; decoding is
//! [`Blocks::dequantize`](crate::kernels::Blocks::dequantize).

mod encode;
mod error_stats;
mod k_quants;
mod lanes;

pub use encode::{ENCODED, EncodeError, encode_row};
pub use error_stats::ErrorStats;
