//! Blocks: what they stand for, and the encoders of rows.

mod blocks_of_32;
mod formats;
mod ggml;
mod k_quants;
