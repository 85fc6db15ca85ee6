//! Where values first were no numbers any more.

use crate::names::KvType;

/// Where the values of a decoder first were NaN, infinite, or too large to be normalised (the sum
/// of their squares is beyond f32).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NonFinite {
    /// In the embedding of one of the tokens.
    Embedding,
    /// In the attention of this layer: its norms, queries, keys, values or what comes of them.
    Attention(usize),
    /// In the MLP of this layer.
    Mlp(usize),
    /// In the KV cache: keys or values of this layer are finite, and too large for its type.
    KvCache {
        /// The layer.
        layer: usize,
        /// The type of the cache.
        kv_type: KvType,
    },
    /// In the logits, after layers whose values are finite: that of this token is the first.
    Logit {
        /// The token's id.
        token: usize,
    },
}

crate::kernels::messages!(NonFinite {
    NonFinite::Embedding => ("the embedding of a token is NaN, infinite or too large"),
    NonFinite::Attention(layer) => (
        "layer {}: values of its attention are NaN, infinite or too large", layer,
    ),
    NonFinite::Mlp(layer) => (
        "layer {}: values of its MLP are NaN, infinite or too large", layer,
    ),
    NonFinite::KvCache { layer, kv_type } => (
        "layer {}: a key or value is too large for a KV cache of type {}; {} can hold it",
        layer,
        kv_type.name(),
        kv_type.wider().name(),
    ),
    NonFinite::Logit { token } => ("the logit of token {} is NaN or infinite", token),
});
