//! The decoder around the MLP: Llama with RMSNorm, RoPE, grouped-query attention and, for
//! Apertus, QK-norm. The caller owns all memory; every size is a function of the [`Config`](crate::Config).

mod attention;
mod decoder;
mod generation;
mod kv_cache;
mod load;
mod memory;
mod model;
mod norm;
mod pass;
pub(crate) mod rope;
mod sampler;

#[cfg(feature = "session")]
pub(crate) use decoder::Progress;
pub use decoder::{Decoder, DecoderOptions};
pub use generation::{Generation, Stop};
pub use kv_cache::{KvCache, KvType};
pub use memory::DecoderMemory;
pub use model::{Layer, Model};
pub use sampler::{Sampler, SamplerOptions, argmax};
