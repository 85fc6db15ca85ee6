//! The encoders of rows into blocks.

mod blocks_of_32;
mod k_quants;
