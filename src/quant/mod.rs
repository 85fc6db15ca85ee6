//! Quantizing: f32 values to the block formats, and how much that loses.
//!
//! The encoders are ggml's reference ones, to the byte; decoding is
//! [`Blocks::dequantize`](crate::kernels::Blocks::dequantize).

mod codes;
mod encode;
mod error_stats;
mod importance;
mod k_quants;
mod lanes;
mod rounded;
mod search;
mod weighted;

pub use encode::{ENCODED, EncodeError, WEIGHTED, encode_row, encode_row_weighted};
pub use error_stats::ErrorStats;
