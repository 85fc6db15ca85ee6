//! The decoder on a CUDA device: the passes of the CPU's, on weights that are copied there once.
//!
//! Norms, residuals, queries, keys and values are f32 as on the CPU, inputs of quantized weights
//! have the CPU's bits, and sums another order. What the CPU checks on its way through the layers is
//! noted on the device and looked at after a batch.

mod buffers;
mod decoder;
mod memory;
mod needs;
mod weights;
mod work;

pub use self::decoder::{CudaDecoder, ReserveError};
pub use self::memory::CudaMemory;
