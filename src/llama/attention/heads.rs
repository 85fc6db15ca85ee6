//! What attention of one layer is made of.

use crate::Config;
use crate::compute::Backend;
use crate::llama::kv_cache::KvCache;

/// Attention of one layer.
pub(crate) struct Heads<'a, 'e> {
    pub(super) backend: &'a Backend<'e>,
    pub(super) cache: &'a KvCache<'a>,
    pub(super) layer: usize,
    pub(super) heads: usize,
    /// Heads that share a head of keys and values.
    pub(super) group: usize,
    pub(super) head_dim: usize,
}

impl<'a, 'e> Heads<'a, 'e> {
    pub(crate) fn new(
        backend: &'a Backend<'e>,
        config: &Config,
        cache: &'a KvCache<'a>,
        layer: usize,
    ) -> Self {
        let group = (config.num_heads / config.num_kv_heads.max(1)).max(1);
        let (heads, head_dim) = (config.num_heads, config.head_dim.max(1));
        Heads { backend, cache, layer, heads, group, head_dim }
    }

    /// Values of a group of heads.
    pub(super) const fn group_len(&self) -> usize {
        self.group * self.head_dim
    }

    pub(super) fn scale(&self) -> f32 {
        1.0 / libm::sqrtf(self.head_dim as f32)
    }
}
