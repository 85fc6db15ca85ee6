//! The kernels of a decoder beside its products and activations: embedding, norms, RoPE, the KV
//! cache, attention and the greedy choice.

mod raw;
mod shapes;
mod slices;

pub use raw::{Attend, Embed, RmsNorm, RopeStore};
pub use shapes::{CacheType, Chunks, HeadShape};
pub use slices::{EMBEDDED, Embedding, KvLayer, Marks, QkNorm, RopeTable};
