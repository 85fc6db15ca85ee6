//! What a decoder takes besides the weights, before anything is loaded.

use super::{Decoder, DecoderOptions, KvCache, KvType, Layer};
use crate::Config;

/// The memory of a decoder in bytes, part by part; `usize::MAX` where that does not fit `usize`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct DecoderMemory {
    /// The array of [`Layer`]s: views of the weights, whose size is the target's.
    pub layers: usize,
    /// The KV cache.
    pub kv_cache: usize,
    /// The scratch.
    pub scratch: usize,
    /// Logits of one token.
    pub logits: usize,
}

impl DecoderMemory {
    /// The memory of a decoder of a valid config with `context` positions.
    pub const fn new(
        config: &Config,
        options: &DecoderOptions,
        context: usize,
        kv_type: KvType,
    ) -> Self {
        let scratch = Decoder::scratch_len(config, options);
        DecoderMemory {
            layers: config.num_layers.saturating_mul(size_of::<Layer<'_>>()),
            kv_cache: KvCache::bytes_needed(config, context, kv_type),
            scratch: scratch.saturating_mul(size_of::<f32>()),
            logits: config.output_vocab_size.saturating_mul(size_of::<f32>()),
        }
    }

    /// All parts together.
    pub const fn total(&self) -> usize {
        self.layers
            .saturating_add(self.kv_cache)
            .saturating_add(self.scratch)
            .saturating_add(self.logits)
    }
}
