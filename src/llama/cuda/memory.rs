//! What a model takes on a device, before anything is copied there.

use super::buffers::Sizes;
use super::needs::{Needs, head_shape, matrices_of};
use crate::cuda::DeviceMatrix;
use crate::cuda::decoder::Embedding;
use crate::kernels::Matrix;
use crate::llama::model::Model;
use crate::llama::{KvCache, KvType};

/// The memory of a decoder on a CUDA device in bytes, part by part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CudaMemory {
    /// Weights: matrices, norms and, where there is a kernel for its type, the embedding.
    pub weights: u64,
    /// While weights are copied: where they lie until they are repacked.
    pub staging: u64,
    /// Keys and values.
    pub kv_cache: u64,
    /// Everything else, `rope` included.
    pub buffers: u64,
    /// Cosines and sines of all positions.
    pub rope: u64,
}

impl CudaMemory {
    /// The memory of a model with `context` positions, of which `batch` go through the layers
    /// together. Sizes that cannot be counted are `u64::MAX`.
    pub fn new(model: &Model<'_, '_>, context: usize, kv_type: KvType, batch: usize) -> Self {
        let config = &model.config;
        let count = |bytes: Option<usize>| bytes.map_or(u64::MAX, |bytes| bytes as u64);
        let matrix = |m: &Matrix<'_>| count(DeviceMatrix::bytes_for(m.dtype(), m.rows(), m.cols()));
        let staging =
            |m: &Matrix<'_>| count(DeviceMatrix::upload_bytes(m.dtype(), m.rows(), m.cols()));
        let matrices = || model.layers.iter().flat_map(matrices_of).chain([&model.output]);
        let qk_norms = if config.qk_norm { 2 * config.head_dim } else { 0 };
        let norms = (2 * config.hidden_size + qk_norms) * model.layers.len() + config.hidden_size;
        let table = &model.token_embd;
        let embedding = if Embedding::has(table.dtype()) { table.bytes() } else { 0 };
        let all = matrices().map(matrix).fold(0, u64::saturating_add);
        let rope = count(context.checked_mul(4 * config.head_dim));
        let buffers = match head_shape(config, context, kv_type) {
            Ok(shape) => Sizes::new(config, &Needs::of(model), &shape, batch).bytes(),
            Err(_) => 0,
        };
        CudaMemory {
            weights: all.saturating_add((embedding + 4 * norms) as u64),
            staging: matrices().map(staging).max().unwrap_or(0),
            kv_cache: count(Some(KvCache::bytes_needed(config, context, kv_type))),
            buffers: buffers.saturating_add(rope),
            rope,
        }
    }

    /// What depends on the context.
    pub const fn working(&self) -> u64 {
        self.kv_cache.saturating_add(self.buffers)
    }

    /// All parts together.
    pub const fn total(&self) -> u64 {
        self.weights.saturating_add(self.staging).saturating_add(self.working())
    }
}
