//! The decoder around the MLP: Llama with RMSNorm, RoPE, grouped-query attention and, for
//! Apertus, QK-norm. The caller owns all memory; every size is a function of the [`Config`](crate::Config).

mod attention;
#[cfg(feature = "alloc")]
mod chain;
#[cfg(feature = "cuda")]
mod cuda;
mod cuts;
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
mod penalties;
pub(crate) mod rope;
mod sampler;
#[cfg(feature = "alloc")]
mod sampling_error;
#[cfg(feature = "streamed")]
pub mod streamed;

#[cfg(all(feature = "alloc", feature = "session"))]
pub(crate) use chain::LAST_N;
#[cfg(feature = "alloc")]
pub use chain::{ChainOptions, SamplerChain};
#[cfg(feature = "cuda")]
pub use cuda::{CudaDecoder, CudaMemory, ReserveError};
pub use cuts::Cuts;
#[cfg(feature = "session")]
pub(crate) use decoder::Progress;
pub use decoder::{Decoder, Observed};
pub use generation::{Generation, Sample, Stop};
pub use kv_cache::KvCache;
pub use layer::Layer;
pub use memory::DecoderMemory;
pub use model::Model;
pub use options::DecoderOptions;
pub use penalties::Penalties;
pub use sampler::{Sampler, SamplerOptions, argmax};
#[cfg(feature = "alloc")]
pub use sampling_error::SamplingError;

pub use crate::names::KvType;
