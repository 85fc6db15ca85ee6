//! The weight formats: element types and quantized blocks exactly as GGUF stores them.
//!
//! Every type here has alignment 1, so a byte slice at any address can be viewed as blocks
//! without a copy. Source of the layouts: ggml's format document (GGUF v3).

mod blocks;
mod dtype;
mod float;
mod input;
mod k_quants;
mod q4_0;
mod q8_0;

pub use blocks::Blocks;
pub use dtype::{DType, QK, QK_K};
pub use float::{BF16, F16, F32};
pub(crate) use input::GROUPS;
pub use input::{INPUT_BLOCK, InputBlock};
pub use k_quants::{BlockQ4_K, BlockQ5_K, BlockQ6_K, unpack_scales};
pub use q4_0::BlockQ4_0;
pub use q8_0::BlockQ8_0;
