//! The MLP of one layer over streamed weights: `down(act(up(x)))`, or `down(silu(gate(x)) * up(x))`.

use core::ops::Range;

use super::source::{Source, Span};
use super::tiles::{Tiles, next_rows};
use super::view::View;
use crate::Error;
use crate::compute::Backend;
use crate::compute::workspace::{Scratch, input_len};
use crate::kernels::{Activation, INPUT_BLOCK, Input, InputBlock, QK};
use crate::mlp::{input_for, tokens_of};

/// Hidden values that are computed before they are quantized: those of a block.
pub(super) const GROUP: usize = INPUT_BLOCK;

/// Where the matrices of one MLP lie, and what is between them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mlp {
    pub act: Activation,
    /// Empty without a gate.
    pub gate: View,
    pub up: View,
    pub down: View,
}

/// f32 elements of scratch for `tokens` tokens and `ffn` hidden values; `quantized` says whether the
/// down projection is (if not, what a quantized one takes is enough too).
pub(super) const fn scratch_len(ffn: usize, tokens: usize, quantized: bool) -> usize {
    let (blocks, values) = (input_len(tokens, ffn), tokens.saturating_mul(ffn));
    let hidden = if quantized || values < blocks { blocks } else { values };
    hidden.saturating_add(tokens.saturating_mul(2 * GROUP))
}

/// `x` for the layer's products, and where their results go.
pub(super) struct Rows<'a> {
    pub x: &'a [f32],
    /// Room for `x`, quantized.
    pub blocks: &'a mut [InputBlock],
    pub out: &'a mut [f32],
}

impl Mlp {
    pub(super) const EMPTY: Mlp =
        Mlp { act: Activation::Relu2, gate: View::EMPTY, up: View::EMPTY, down: View::EMPTY };

    /// The matrix whose rows are read first.
    pub(super) const fn first(&self) -> &View {
        if self.gate.is_empty() { &self.up } else { &self.gate }
    }

    /// `out[t] = mlp(x[t])`. `next` is what is read afterwards.
    pub(super) fn forward<'b, S: Source<'b>>(
        &self,
        backend: &Backend<'_>,
        tiles: &mut Tiles<'b, S>,
        next: Span,
        rows: Rows<'_>,
        scratch: &mut [f32],
    ) -> Result<(), Error> {
        let Mlp { up, down, .. } = self;
        let mut out = tokens_of("mlp output", rows.out, down.rows)?;
        let (tokens, ffn) = (out.tokens(), up.rows);
        let x = input_for(backend, &up.matrix(0, &[])?, rows.x, rows.blocks)?;
        let quantized = down.takes_blocks;
        let mut scratch = Scratch::new(scratch, scratch_len(ffn, tokens, quantized))?;
        let blocks = scratch.input(if quantized { tokens } else { 0 }, ffn)?;
        let hidden = scratch.f32(if quantized { 0 } else { tokens * ffn })?;
        let values = scratch.f32(tokens * GROUP)?;
        let gates = scratch.f32(tokens * GROUP)?;
        let per_row = InputBlock::per_row(ffn);
        for (index, start) in (0..ffn).step_by(GROUP).enumerate() {
            let range = start..(start + GROUP).min(ffn);
            let after = range.end..(range.end + GROUP).min(ffn);
            let n = tokens * range.len();
            let (Some(values), Some(gates)) = (values.get_mut(..n), gates.get_mut(..n)) else {
                return Err(Error::OutOfRange("streamed hidden values"));
            };
            let next = match after.is_empty() {
                true => tiles.first(down, &(0..down.rows)),
                false => tiles.first(self.first(), &after),
            };
            self.group(backend, tiles, range.clone(), next, x, [&mut *values, gates])?;
            for (t, values) in values.chunks_exact(range.len().max(1)).enumerate() {
                if quantized {
                    let at = t * per_row + index;
                    let block = blocks.get_mut(at..).and_then(|blocks| blocks.get_mut(..1));
                    let block = block.ok_or(Error::OutOfRange("streamed hidden blocks"))?;
                    backend.kernels.quantize_input(values, range.len(), block)?;
                } else {
                    let hidden = hidden.get_mut(t * ffn + start..).unwrap_or_default();
                    hidden.iter_mut().zip(values).for_each(|(hidden, value)| *hidden = *value);
                }
            }
        }
        let hidden = if quantized { Input::Quantized(blocks) } else { Input::F32(hidden) };
        tiles.matmul(backend, down, Some(next), hidden, out.reborrow(), false)
    }

    /// The activated hidden values of some rows, `[tokens, range.len()]`, to the first of the two.
    fn group<'b, S: Source<'b>>(
        &self,
        backend: &Backend<'_>,
        tiles: &mut Tiles<'b, S>,
        range: Range<usize>,
        next: Span,
        x: Input<'_>,
        [values, gates]: [&mut [f32]; 2],
    ) -> Result<(), Error> {
        let gated = !self.gate.is_empty();
        if gated {
            let up = tiles.first(&self.up, &range);
            let mut out = Some(tokens_of("gates", gates, range.len())?);
            tiles.each(&self.gate, range.clone(), Some(up), |w| {
                backend.matmul(w, x, next_rows(&mut out, w.rows())?, false)
            })?;
        }
        let mut out = Some(tokens_of("hidden", values, range.len())?);
        tiles.each(&self.up, range, Some(next), |w| {
            let out = next_rows(&mut out, w.rows())?;
            if gated {
                return backend.matmul(w, x, out, false);
            }
            let operations = w.rows().saturating_mul(w.cols()).saturating_mul(out.tokens());
            let epilogue = || backend.functions.epilogue(&self.act);
            backend.parts_of_rows(out, QK, operations, &|first, part| {
                let w = w.rows_range(first..first + part.rows());
                let w = w.ok_or(Error::OutOfRange("streamed rows"))?;
                Ok(backend.kernels.matmul_activated(&w, epilogue(), x, part)?)
            })
        })?;
        if gated {
            backend.kernels.swiglu_in_place(gates, values)?;
        }
        Ok(())
    }
}
