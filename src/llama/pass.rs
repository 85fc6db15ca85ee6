//! One batch of tokens through the layers, in buffers carved from the caller's scratch.

use super::attention::Heads;
use super::kv_cache::KvCache;
use super::layer::Layer;
use super::options::DecoderOptions;
use super::rope;
use crate::NonFinite;
use crate::compute::Backend;
use crate::compute::rows::{rows, rows_mut};
use crate::compute::workspace::{Scratch, input_len};
use crate::kernels::{InputBlock, Matrix};
use crate::mlp::{MlpSizes, input_for, tokens_of};
use crate::{Config, Error};

/// The pieces of scratch for one batch.
pub(super) struct Buffers<'s> {
    /// Angle per position of each RoPE pair; kept from batch to batch.
    pub inv_freq: &'s mut [f32],
    /// The residual stream, `[tokens, hidden]`; kept for the logits.
    pub x: &'s mut [f32],
    /// Normalised inputs of a block, `[tokens, hidden]`.
    pub h: &'s mut [f32],
    /// Outputs of the MLP, `[tokens, hidden]`.
    pub y: &'s mut [f32],
    pub q: &'s mut [f32],
    pub k: &'s mut [f32],
    pub v: &'s mut [f32],
    /// Outputs of the heads, `[tokens, heads * head_dim]`.
    pub attn: &'s mut [f32],
    /// Cosines, then sines, `[tokens, head_dim]`.
    rope: &'s mut [f32],
    /// Quantized inputs of a product.
    pub blocks: &'s mut [InputBlock],
    mlp: &'s mut [f32],
    /// What a batch smaller than the decoder's leaves of the scratch.
    pub free: &'s mut [f32],
}

/// Widest input of a product outside the MLP.
const fn widest_input(config: &Config) -> usize {
    let (hidden, q) = (config.hidden_size, config.q_size());
    if hidden > q { hidden } else { q }
}

/// f32 elements of scratch for `options.batch` tokens.
pub(super) const fn scratch_len(config: &Config, options: &DecoderOptions) -> usize {
    let batch = options.batch;
    let per_token = 3 * config.hidden_size + 2 * config.q_size() + 2 * config.kv_size();
    (per_token + config.head_dim)
        .saturating_mul(batch)
        .saturating_add(config.head_dim / 2)
        .saturating_add(input_len(batch, widest_input(config)))
        .saturating_add(mlp_len(config, options, batch))
}

const fn mlp_len(config: &Config, options: &DecoderOptions, tokens: usize) -> usize {
    let ffn = config.intermediate_size;
    let tile = if options.mlp_tile < ffn { options.mlp_tile } else { ffn };
    MlpSizes { hidden_size: config.hidden_size, tile, tokens }.scratch_len()
}

impl<'s> Buffers<'s> {
    /// Buffers for `tokens` tokens, at most `options.batch`. What is kept between batches is
    /// first, where the number of tokens does not move it.
    pub(super) fn carve(
        scratch: &'s mut [f32],
        config: &Config,
        options: &DecoderOptions,
        tokens: usize,
    ) -> Result<Self, Error> {
        let mut free = Scratch::new(scratch, scratch_len(config, options))?;
        let inv_freq = free.f32(config.head_dim / 2)?;
        let x = free.f32(options.batch * config.hidden_size)?;
        Ok(Buffers {
            inv_freq,
            x: x.get_mut(..tokens * config.hidden_size).ok_or(Error::OutOfRange("batch"))?,
            h: free.f32(tokens * config.hidden_size)?,
            y: free.f32(tokens * config.hidden_size)?,
            q: free.f32(tokens * config.q_size())?,
            k: free.f32(tokens * config.kv_size())?,
            v: free.f32(tokens * config.kv_size())?,
            attn: free.f32(tokens * config.q_size())?,
            rope: free.f32(tokens * config.head_dim)?,
            blocks: free.input(tokens, widest_input(config))?,
            mlp: free.f32(mlp_len(config, options, tokens))?,
            free: free.rest(),
        })
    }

    /// Fills the RoPE tables for tokens from `position` on.
    pub(super) fn fill_rope(&mut self, head_dim: usize, position: usize) {
        for (t, table) in rows_mut(self.rope, head_dim).enumerate() {
            rope::fill_table(self.inv_freq, position + t, table);
        }
    }
}

/// One layer at work on one batch.
pub(super) struct Pass<'a, 'e> {
    pub config: &'a Config,
    pub backend: &'a Backend<'e>,
    pub layer: &'a Layer<'a>,
    pub index: usize,
}

impl Pass<'_, '_> {
    /// `x += o(attention(norm(x)))`, storing the new keys and values.
    pub(super) fn attention(
        &self,
        position: usize,
        cache: &mut KvCache<'_>,
        b: &mut Buffers<'_>,
    ) -> Result<(), Error> {
        let layer = self.layer;
        let here = NonFinite::Attention(self.index);
        copy(b.x, b.h);
        layer.attn_norm.apply(b.h, self.before())?;
        project(self.backend, &layer.q, b.h, b.blocks, b.q, false)?;
        project(self.backend, &layer.k, b.h, b.blocks, b.k, false)?;
        project(self.backend, &layer.v, b.h, b.blocks, b.v, false)?;
        if let Some((q_norm, k_norm)) = &layer.qk_norm {
            q_norm.apply(b.q, here)?;
            k_norm.apply(b.k, here)?;
        }
        rotate_and_store(self.config, self.backend, self.index, position, cache, b)?;
        let out = tokens_of("attention output", b.attn, self.config.q_size())?;
        let heads = Heads::new(self.backend, self.config, cache, self.index);
        heads.attend(position, b.q, b.free, out)?;
        project(self.backend, &layer.o, b.attn, b.blocks, b.x, true)
    }

    /// Where the values come from that the layer takes.
    const fn before(&self) -> NonFinite {
        match self.index.checked_sub(1) {
            Some(layer) => NonFinite::Mlp(layer),
            None => NonFinite::Embedding,
        }
    }

    /// `x += mlp(norm(x))`.
    pub(super) fn mlp(&self, tile: usize, b: &mut Buffers<'_>) -> Result<(), Error> {
        copy(b.x, b.h);
        self.layer.ffn_norm.apply(b.h, NonFinite::Attention(self.index))?;
        self.layer.mlp.forward_tiled(self.backend, tile, b.h, b.y, b.mlp)?;
        b.x.iter_mut().zip(b.y.iter()).for_each(|(x, y)| *x += y);
        Ok(())
    }
}

/// Rotates queries and keys, and stores keys and values in layer `layer` of the cache.
pub(super) fn rotate_and_store(
    config: &Config,
    backend: &Backend<'_>,
    layer: usize,
    position: usize,
    cache: &mut KvCache<'_>,
    b: &mut Buffers<'_>,
) -> Result<(), Error> {
    let q = rows_mut(b.q, config.q_size());
    let k = rows_mut(b.k, config.kv_size());
    let v = rows(b.v, config.kv_size());
    let tables = rows(b.rope, config.head_dim);
    for (t, (((q, k), v), table)) in q.zip(k).zip(v).zip(tables).enumerate() {
        rope::rotate(config.rope.style, table, q);
        rope::rotate(config.rope.style, table, k);
        cache.store(&backend.kernels, layer, position + t, k, v)?;
    }
    Ok(())
}

/// Copies as far as both reach.
pub(super) fn copy(from: &[f32], to: &mut [f32]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
}

/// Rows `tokens` of the embedding as f32, `[tokens, hidden]`.
pub(super) fn embed(table: &Matrix<'_>, tokens: &[u32], x: &mut [f32]) -> Result<(), Error> {
    for (&id, x) in tokens.iter().zip(rows_mut(x, table.cols())) {
        let row = usize::try_from(id).ok().and_then(|id| table.row(id));
        let row = row.ok_or(Error::Token { id, vocab_size: table.rows() })?;
        if !row.dequantize(x) {
            return Err(Error::OutOfRange("embedding"));
        }
    }
    Ok(())
}

/// `out (+)= w * x` for each token, quantizing `x` into `blocks` if `w` is quantized.
pub(super) fn project(
    backend: &Backend<'_>,
    w: &Matrix<'_>,
    x: &[f32],
    blocks: &mut [InputBlock],
    out: &mut [f32],
    accumulate: bool,
) -> Result<(), Error> {
    let x = input_for(backend, w, x, blocks)?;
    backend.matmul(w, x, tokens_of("projection", out, w.rows())?, accumulate)
}
