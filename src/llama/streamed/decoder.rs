//! The decoder over streamed weights.

use super::layer::StreamedLayer;
use super::mlp::{self, Rows};
use super::model::{StreamedModel, options};
use super::source::{Source, Span};
use super::tiles::Tiles;
use super::view::View;
use crate::compute::Backend;
use crate::compute::rows::rows_mut;
use crate::error::SourceError;
use crate::kernels::{InputBlock, LengthError};
use crate::llama::attention::Heads;
use crate::llama::decoder::check_logits;
use crate::llama::norm::RmsNorm;
use crate::llama::pass::{self, Buffers, copy, rotate_and_store};
use crate::llama::{KvCache, rope};
use crate::mlp::{input_for, tokens_of};
use crate::numeric::finite::all_finite;
use crate::{Config, Error, NonFinite};

/// Runs a [`StreamedModel`] over a growing sequence, as [`Decoder`](crate::llama::Decoder) runs a
/// model in memory.
///
/// After an error of the source the position is what it was before: the same tokens may be decoded
/// again.
#[derive(Debug)]
pub struct StreamedDecoder<'m, 'b, 's, S> {
    model: &'m StreamedModel<'m>,
    backend: Backend<'m>,
    batch: usize,
    cache: KvCache<'s>,
    scratch: &'s mut [f32],
    tiles: Tiles<'b, S>,
    position: usize,
    /// Tokens of the last batch, whose final states are in `scratch`.
    last_batch: usize,
}

/// What stays the same while a layer works.
struct Layer<'a, 'e> {
    config: &'a Config,
    backend: &'a Backend<'e>,
    layer: &'a StreamedLayer,
    index: usize,
    /// What is read after the layer.
    next: Span,
}

impl<'m, 'b, 's, S: Source<'b>> StreamedDecoder<'m, 'b, 's, S> {
    /// A decoder at position 0 that decodes at most `batch` tokens of a prompt together, which read
    /// every matrix once. `source` holds the model's file; its two buffers hold at least
    /// [`StreamedModel::longest_row`] bytes each, better some KiB.
    ///
    /// # Errors
    /// If memory is too small, `cache` was made for another shape, the batch is 0, the source's unit
    /// is no power of two, or it cannot be read.
    pub fn new(
        model: &'m StreamedModel<'m>,
        backend: Backend<'m>,
        batch: usize,
        cache: KvCache<'s>,
        scratch: &'s mut [f32],
        (source, buffers): (S, [&'b mut [u8]; 2]),
    ) -> Result<Self, Error> {
        let config = &model.config;
        if batch == 0 {
            return Err(Error::Config("the decoder's batch is 0"));
        }
        if !cache.fits(config) {
            return Err(Error::Config("the KV cache was made for another model"));
        }
        if !source.unit().is_power_of_two() {
            return Err(Error::Config("the unit of the weights' source is not a power of two"));
        }
        let mut tiles = Tiles::new(source, buffers);
        tiles.check_row(model.longest_row())?;
        let quantized = model.layers.iter().all(|layer| layer.mlp.down.takes_blocks);
        let needed = StreamedModel::scratch_len(config, batch, quantized);
        let found = scratch.len();
        if found < needed {
            return Err(Error::Memory { what: "scratch", needed, found });
        }
        let buffers = Buffers::carve(scratch, config, &options(batch), 0)?;
        let freqs = &model.rope_freqs;
        if freqs.is_empty() {
            rope::inverse_frequencies(&config.rope, None, buffers.inv_freq)?;
        } else {
            let divisors = freqs.matrix(1, tiles.take(freqs.span(0, 1), None)?)?;
            rope::inverse_frequencies(&config.rope, Some(&divisors), buffers.inv_freq)?;
        }
        Ok(StreamedDecoder {
            model,
            backend,
            batch,
            cache,
            scratch,
            tiles,
            position: 0,
            last_batch: 0,
        })
    }

    /// Compares the beginning of the source with the head that the model was loaded by: whether it
    /// is the same file, for programs that have the head from elsewhere.
    ///
    /// # Errors
    /// [`SourceError::OtherFile`] if they differ; if it cannot be read.
    pub fn compare(&mut self, head: &[u8]) -> Result<(), Error> {
        let at_once = self.tiles.chunk();
        for (index, expected) in head.chunks(at_once).enumerate() {
            let offset = (index * at_once) as u64;
            let found = self.tiles.take(Span { offset, len: expected.len() }, None)?;
            let differs =
                found.iter().zip(expected).position(|(found, expected)| found != expected);
            if let Some(at) = differs {
                return Err(SourceError::OtherFile { offset: offset + at as u64 }.into());
            }
        }
        Ok(())
    }

    /// Positions decoded so far.
    pub const fn position(&self) -> usize {
        self.position
    }

    /// Positions the KV cache has room for.
    pub const fn context(&self) -> usize {
        self.cache.context()
    }

    /// Where the weights are read from.
    pub const fn source(&self) -> &S {
        self.tiles.source()
    }

    /// Goes back to `position` (no further than now), forgetting what came after.
    pub fn rewind(&mut self, position: usize) {
        self.position = self.position.min(position);
        self.last_batch = 0;
    }

    /// Decodes one token and writes the logits of what follows it (`output_vocab_size` values).
    ///
    /// # Errors
    /// As [`StreamedDecoder::prompt`] and [`StreamedDecoder::logits`].
    pub fn step(&mut self, token: u32, logits: &mut [f32]) -> Result<(), Error> {
        let before = self.position;
        self.batch(&[token])?;
        let result = self.logits(logits);
        if result.is_err() {
            self.rewind(before);
        }
        result
    }

    /// Decodes `tokens` after what came before, in batches. [`StreamedDecoder::logits`] then has the
    /// last batch's.
    ///
    /// # Errors
    /// As [`Decoder::prompt`](crate::llama::Decoder::prompt), and [`Error::Source`] if weights cannot
    /// be read (the batches before are decoded).
    pub fn prompt(&mut self, tokens: &[u32]) -> Result<(), Error> {
        self.check_room(tokens.len())?;
        tokens.chunks(self.batch.max(1)).try_for_each(|batch| self.batch(batch))
    }

    fn check_room(&self, tokens: usize) -> Result<(), Error> {
        let (needed, context) = (self.position.saturating_add(tokens), self.context());
        if needed > context { Err(Error::ContextFull { needed, context }) } else { Ok(()) }
    }

    /// Decodes at most as many tokens together as [`StreamedDecoder::new`] was told.
    ///
    /// # Errors
    /// As [`StreamedDecoder::prompt`], and [`Error::Length`] if they are too many.
    pub fn batch(&mut self, tokens: &[u32]) -> Result<(), Error> {
        if tokens.len() > self.batch {
            return Err(LengthError { expected: self.batch, found: tokens.len() }.into());
        }
        self.check_room(tokens.len())?;
        self.last_batch = 0;
        let (model, tiles) = (self.model, &mut self.tiles);
        let config = &model.config;
        let shared = pass::scratch_len(config, &options(self.batch));
        let (shared, own) = self.scratch.split_at_mut_checked(shared).unwrap_or_default();
        let mut b = Buffers::carve(shared, config, &options(self.batch), tokens.len())?;
        let first = model.layers.first().map_or(&model.output_norm, |layer| &layer.attn_norm);
        embed(tiles, &model.token_embd, first.span(0, 1), tokens, b.x)?;
        b.fill_rope(config.head_dim, self.position);
        for (index, layer) in model.layers.iter().enumerate() {
            let next = model.layers.get(index + 1).map(|layer| layer.attn_norm);
            let next = next.unwrap_or(model.output_norm).span(0, 1);
            let layer = Layer { config, backend: &self.backend, layer, index, next };
            layer.attention(tiles, self.position, &mut self.cache, &mut b)?;
            layer.mlp(tiles, &mut b, own)?;
        }
        // What a layer adds is found by the next one's norm; the last layer has none after it.
        if !all_finite(b.x) {
            return Err(Error::NonFinite(self.last_layer()));
        }
        self.position += tokens.len();
        self.last_batch = tokens.len();
        Ok(())
    }

    /// Where the values come from that the output head takes.
    const fn last_layer(&self) -> NonFinite {
        NonFinite::Mlp(self.model.layers.len().saturating_sub(1))
    }

    /// Writes the logits of the last tokens of the last batch: see
    /// [`Decoder::logits`](crate::llama::Decoder::logits).
    ///
    /// # Errors
    /// As there, and [`Error::Source`] if weights cannot be read; it may then be called again.
    pub fn logits(&mut self, out: &mut [f32]) -> Result<(), Error> {
        let model = self.model;
        let config = &model.config;
        let n = out.len() / config.output_vocab_size.max(1);
        let expected = config.output_vocab_size * n.clamp(1, self.last_batch.max(1));
        if out.len() != expected || self.last_batch == 0 {
            return Err(LengthError { expected, found: out.len() }.into());
        }
        let last_layer = self.last_layer();
        let b = Buffers::carve(self.scratch, config, &options(self.batch), self.last_batch)?;
        let start = (self.last_batch - n) * config.hidden_size;
        let x = b.x.get(start..).ok_or(Error::OutOfRange("final states"))?;
        let h = b.h.get_mut(start..).ok_or(Error::OutOfRange("final states"))?;
        copy(x, h);
        let tiles = &mut self.tiles;
        let head = tiles.first(&model.output, &(0..model.output.rows));
        norm(tiles, (&model.output_norm, config), head, h, last_layer)?;
        project(tiles, &self.backend, (&model.output, None), h, b.blocks, out, false)?;
        check_logits(config, out)
    }
}

impl Layer<'_, '_> {
    /// `x += o(attention(norm(x)))`, storing the new keys and values.
    fn attention<'b, S: Source<'b>>(
        &self,
        tiles: &mut Tiles<'b, S>,
        position: usize,
        cache: &mut KvCache<'_>,
        b: &mut Buffers<'_>,
    ) -> Result<(), Error> {
        let Layer { config, backend, layer, index, .. } = *self;
        let here = NonFinite::Attention(index);
        let first = |tiles: &Tiles<'b, S>, view: &View| tiles.first(view, &(0..view.rows));
        let before = match index.checked_sub(1) {
            Some(layer) => NonFinite::Mlp(layer),
            None => NonFinite::Embedding,
        };
        copy(b.x, b.h);
        let q = first(tiles, &layer.q);
        norm(tiles, (&layer.attn_norm, config), q, b.h, before)?;
        let after_v = if layer.q_norm.is_empty() { &layer.o } else { &layer.q_norm };
        let [k, v, after_v, o] =
            [&layer.k, &layer.v, after_v, &layer.o].map(|view| first(tiles, view));
        project(tiles, backend, (&layer.q, Some(k)), b.h, b.blocks, b.q, false)?;
        project(tiles, backend, (&layer.k, Some(v)), b.h, b.blocks, b.k, false)?;
        project(tiles, backend, (&layer.v, Some(after_v)), b.h, b.blocks, b.v, false)?;
        if !layer.q_norm.is_empty() {
            norm(tiles, (&layer.q_norm, config), layer.k_norm.span(0, 1), b.q, here)?;
            norm(tiles, (&layer.k_norm, config), o, b.k, here)?;
        }
        rotate_and_store(config, backend, index, position, cache, b)?;
        let out = tokens_of("attention output", b.attn, config.q_size())?;
        Heads::new(backend, config, cache, index).attend(position, b.q, b.free, out)?;
        let ffn_norm = Some(layer.ffn_norm.span(0, 1));
        project(tiles, backend, (&layer.o, ffn_norm), b.attn, b.blocks, b.x, true)
    }

    /// `x += mlp(norm(x))`.
    fn mlp<'b, S: Source<'b>>(
        &self,
        tiles: &mut Tiles<'b, S>,
        b: &mut Buffers<'_>,
        scratch: &mut [f32],
    ) -> Result<(), Error> {
        let mlp = &self.layer.mlp;
        copy(b.x, b.h);
        let up = mlp.first();
        let up = tiles.first(up, &(0..up.rows.min(mlp::GROUP)));
        let source = NonFinite::Attention(self.index);
        norm(tiles, (&self.layer.ffn_norm, self.config), up, b.h, source)?;
        let rows = Rows { x: b.h, blocks: b.blocks, out: b.y };
        mlp.forward(self.backend, tiles, self.next, rows, scratch)?;
        b.x.iter_mut().zip(b.y.iter()).for_each(|(x, y)| *x += y);
        Ok(())
    }
}

/// Rows `tokens` of the embedding as f32, `[tokens, hidden]`.
fn embed<'b, S: Source<'b>>(
    tiles: &mut Tiles<'b, S>,
    table: &View,
    next: Span,
    tokens: &[u32],
    x: &mut [f32],
) -> Result<(), Error> {
    let mut ids = tokens.iter();
    for x in rows_mut(x, table.cols) {
        let Some(&id) = ids.next() else { break };
        let row = |id: u32| {
            let row = usize::try_from(id).ok().filter(|row| *row < table.rows);
            row.map(|row| table.span(row, 1)).ok_or(Error::Token { id, vocab_size: table.rows })
        };
        let after = ids.clone().next().and_then(|&id| row(id).ok()).unwrap_or(next);
        let matrix = table.matrix(1, tiles.take(row(id)?, Some(after))?)?;
        if !matrix.row(0).is_some_and(|row| row.dequantize(x)) {
            return Err(Error::OutOfRange("embedding"));
        }
    }
    Ok(())
}

/// RMSNorm in place, with weights that are read.
fn norm<'b, S: Source<'b>>(
    tiles: &mut Tiles<'b, S>,
    (weight, config): (&View, &Config),
    next: Span,
    x: &mut [f32],
    source: NonFinite,
) -> Result<(), Error> {
    let weight = weight.matrix(1, tiles.take(weight.span(0, 1), Some(next))?)?;
    RmsNorm::new(weight, config.rms_norm_eps).apply(x, source)
}

/// `out (+)= w * x` for each token, quantizing `x` into `blocks` if `w` is quantized.
fn project<'b, S: Source<'b>>(
    tiles: &mut Tiles<'b, S>,
    backend: &Backend<'_>,
    (w, next): (&View, Option<Span>),
    x: &[f32],
    blocks: &mut [InputBlock],
    out: &mut [f32],
    accumulate: bool,
) -> Result<(), Error> {
    let x = input_for(backend, &w.matrix(0, &[])?, x, blocks)?;
    tiles.matmul(backend, w, next, x, tokens_of("projection", out, w.rows)?, accumulate)
}
