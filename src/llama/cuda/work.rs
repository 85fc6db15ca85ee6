//! What depends on the context, and the layers' work on it.

use alloc::vec;
use alloc::vec::Vec;

use super::buffers::Buffers;
use super::needs::{Needs, head_shape};
use super::weights::{Between, DeviceLayer, Weights, copying};
use crate::Error;
use crate::config::RopeStyle;
use crate::cuda::OnStream;
use crate::cuda::decoder::{KvLayer, RopeTable};
#[cfg(feature = "session")]
use crate::llama::KvCache;
use crate::llama::model::Model;
use crate::llama::{KvType, pass, rope};

/// What depends on the context.
#[derive(Debug)]
pub(super) struct Work {
    pub context: usize,
    pub cache: Vec<KvLayer>,
    table: RopeTable,
    pub buffers: Buffers,
    /// Tokens of the last batch, whose normed final states are in the buffers.
    pub last_batch: usize,
}

/// What is noted of a layer: the places where values may first be no numbers, in the order in which
/// they are computed. 0 is nothing.
pub(super) const CODES: u32 = 4;

/// The first code of a layer.
pub(super) fn code(layer: usize) -> u32 {
    1 + CODES * layer as u32
}

impl Work {
    pub(super) fn new(
        on: &OnStream<'_>,
        model: &Model<'_, '_>,
        context: usize,
        kv_type: KvType,
        batch: usize,
    ) -> Result<Self, Error> {
        let config = &model.config;
        let shape = head_shape(config, context, kv_type)?;
        let mut inv_freq = vec![0.0; config.head_dim / 2];
        rope::inverse_frequencies(&config.rope, model.rope_freqs.as_ref(), &mut inv_freq)?;
        let interleaved = config.rope.style == RopeStyle::Interleaved;
        let fill = |position: usize, row: &mut [f32]| rope::fill_table(&inv_freq, position, row);
        let cache: Result<Vec<_>, _> =
            model.layers.iter().map(|_| KvLayer::new(on, &shape)).collect();
        Ok(Work {
            context,
            cache: cache?,
            table: RopeTable::new(on, &shape, interleaved, fill)?,
            buffers: Buffers::new(on, config, &Needs::of(model), &shape, batch)?,
            last_batch: 0,
        })
    }

    /// The layer, whether it is of the values, and the place there of a byte of the whole cache.
    #[cfg(feature = "session")]
    pub(super) fn place_of(
        &self,
        model: &Model<'_, '_>,
        kv_type: KvType,
        start: usize,
    ) -> (usize, bool, usize) {
        let each = KvCache::bytes_needed(&model.config, self.context, kv_type)
            / (2 * model.layers.len()).max(1);
        let (part, start) = (start / each.max(1), start % each.max(1));
        (part / 2, part % 2 == 1, start)
    }

    #[cfg(feature = "session")]
    pub(super) fn place(
        &self,
        model: &Model<'_, '_>,
        kv_type: KvType,
        start: usize,
    ) -> Result<(&KvLayer, bool, usize), Error> {
        let (layer, values, start) = self.place_of(model, kv_type, start);
        let layer = self.cache.get(layer).ok_or(Error::OutOfRange("layers of the cache"))?;
        Ok((layer, values, start))
    }

    /// The rows of the embedding: on the device where it has them, else from the host.
    pub(super) fn embed(
        &mut self,
        on: &OnStream<'_>,
        model: &Model<'_, '_>,
        weights: &Weights,
        tokens: &[u32],
    ) -> Result<(), Error> {
        let Some(table) = &weights.embedding else {
            let mut rows = vec![0.0; tokens.len() * model.config.hidden_size];
            pass::embed(&model.token_embd, tokens, &mut rows)?;
            let mut to = self.buffers.x.slice_mut(..rows.len());
            return Ok(on.stream().memcpy_htod(&rows, &mut to).map_err(copying)?);
        };
        let values = tokens.len() * model.config.hidden_size;
        let Buffers { x, ids, .. } = &mut self.buffers;
        Ok(on.embed(table, tokens, ids, &mut x.slice_mut(..values))?)
    }

    /// `x += o(attention(norm(x)))`, storing the new keys and values.
    pub(super) fn attention(
        &mut self,
        on: &OnStream<'_>,
        layer: &DeviceLayer,
        index: usize,
        position: usize,
        tokens: usize,
    ) -> Result<(), Error> {
        let cache = self.cache.get_mut(index).ok_or(Error::OutOfRange("layers of the cache"))?;
        let b = &mut self.buffers;
        b.norm(on, &layer.attn_norm, tokens, code(index))?;
        b.prepare_hidden(on, 0..tokens)?;
        let [q_len, kv_len] = [layer.q.rows(), layer.k.rows()].map(|rows| rows * tokens);
        let [mut q, mut k, mut v] =
            [b.q.slice_mut(..q_len), b.k.slice_mut(..kv_len), b.v.slice_mut(..kv_len)];
        on.matmul(&layer.q, &b.hidden, tokens, &mut q, false)?;
        on.matmul(&layer.k, &b.hidden, tokens, &mut k, false)?;
        on.matmul(&layer.v, &b.hidden, tokens, &mut v, false)?;
        let codes = [code(index) + 1, code(index) + 2];
        let heads = [&mut q as _, &mut k as _, &mut v as _];
        let norm = layer.qk_norm.as_ref();
        on.rope_store(heads, norm, &self.table, position, cache, (&mut b.marks, codes))?;
        let mut out = b.attn.slice_mut(..q_len);
        on.attend(&q, position, cache, &mut b.sums, &mut out)?;
        on.quantize(&out, tokens, &mut b.heads)?;
        let mut x = b.x.slice_mut(..layer.o.rows() * tokens);
        Ok(on.matmul(&layer.o, &b.heads, tokens, &mut x, true)?)
    }

    /// `x += mlp(norm(x))`.
    pub(super) fn mlp(
        &mut self,
        on: &OnStream<'_>,
        layer: &DeviceLayer,
        index: usize,
        tokens: usize,
    ) -> Result<(), Error> {
        let b = &mut self.buffers;
        b.norm(on, &layer.ffn_norm, tokens, code(index) + 3)?;
        b.prepare_hidden(on, 0..tokens)?;
        let len = layer.up.rows() * tokens;
        let mut up = b.up.slice_mut(..len);
        on.matmul(&layer.up, &b.hidden, tokens, &mut up, false)?;
        match &layer.between {
            Between::Plain(act) => on.activate(act, &up, tokens, &mut b.ffn)?,
            Between::Gated(matrix) => {
                let mut gate = b.gate.slice_mut(..len);
                on.matmul(matrix, &b.hidden, tokens, &mut gate, false)?;
                on.activate_swiglu([&gate, &up], tokens, &mut b.ffn)?;
            }
        }
        let mut x = b.x.slice_mut(..layer.down.rows() * tokens);
        Ok(on.matmul(&layer.down, &b.ffn, tokens, &mut x, true)?)
    }
}
