//! The decoder around the MLP: Llama with RMSNorm, RoPE, grouped-query attention and, for
//! Apertus, QK-norm. The caller owns all memory; every size is a function of the [`Config`](crate::Config).

mod attention;
mod decoder;
mod generation;
mod kv_cache;
mod layer;
mod load;
mod memory;
mod model;
mod norm;
mod options;
mod pass;
pub(crate) mod rope;
mod sampler;

pub use decoder::Decoder;
#[cfg(feature = "session")]
pub(crate) use decoder::Progress;
pub use generation::{Generation, Stop};
pub use kv_cache::KvCache;
pub use layer::Layer;
pub use memory::DecoderMemory;
pub use model::Model;
pub use options::DecoderOptions;
pub use sampler::{Sampler, SamplerOptions, argmax};

pub use crate::names::KvType;
