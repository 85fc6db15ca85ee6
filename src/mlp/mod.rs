//! The MLP of one layer over borrowed weights: `down(act(up(x)))`, and its gated twin
//! `down(silu(gate(x)) * up(x))`.
//!
//! Both forms of the layer are one loop over tiles of the hidden vector (the ffn dimension):
//! rows of `up` -> activation in f32 -> input blocks (when `down` is quantized) -> accumulated
//! into `down`. Rows are activated and quantized as they come, a few at a time, so the hidden
//! vector takes 1.25 bytes a value and no pass over memory. [`Mlp::forward`] makes it one tile.
//! [`Mlp::forward_tiled`] never holds more of it than a tile, so its memory is O(hidden + tile)
//! and not O(ffn).
//!
//! The two agree to rounding: the activated values and their blocks are the same bits, and only
//! the order in which `down` adds them differs. Relative to the output's norm the difference is
//! below 1e-6 for the bundled model; tests allow 1e-5.

#[cfg(feature = "cuda")]
mod cuda;
pub(crate) mod load;

use core::ops::Range;

use crate::Error;
use crate::compute::Backend;
use crate::compute::packing::{Packer, packed_bytes};
use crate::compute::workspace::{Scratch, input_len};
use crate::kernels::{
    Activation, ActivationKind, Epilogue, INPUT_BLOCK, Input, InputBlock, Kernels, Matrix, Output,
    QK, built,
};

/// What is between the projections.
#[derive(Clone, Copy, Debug)]
enum Between<'w> {
    Plain(Activation),
    /// SwiGLU and its third matrix.
    Gated(Matrix<'w>),
}

/// What the working memory of a layer depends on: known before there is a layer, at compile time
/// too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct MlpSizes {
    /// Width of the input and output.
    pub hidden_size: usize,
    /// Hidden values held at a time; the whole width (ffn) for [`Mlp::forward`].
    pub tile: usize,
    /// Tokens computed in one call.
    pub tokens: usize,
}

impl MlpSizes {
    /// Elements of scratch, for any weight types: inputs as blocks, and one tile as f32 or as
    /// blocks.
    pub const fn scratch_len(self) -> usize {
        let MlpSizes { hidden_size, tile, tokens } = self;
        let (values, blocks) = (tokens.saturating_mul(tile), input_len(tokens, tile));
        let tile_len = if values > blocks { values } else { blocks };
        input_len(tokens, hidden_size).saturating_add(tile_len)
    }
}

/// One MLP layer; a view, `Copy`, borrowing its weights at any alignment.
#[derive(Clone, Copy, Debug)]
pub struct Mlp<'w> {
    between: Between<'w>,
    up: Matrix<'w>,
    down: Matrix<'w>,
}

/// What a layer is made of, for what computes it elsewhere.
#[cfg(feature = "cuda")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts<'a, 'w> {
    /// The activation of a layer without a gate; SwiGLU's gate else.
    pub act: Result<Activation, &'a Matrix<'w>>,
    pub up: &'a Matrix<'w>,
    pub down: &'a Matrix<'w>,
}

impl<'w> Mlp<'w> {
    /// A layer of width 0, to fill arrays with.
    pub const EMPTY: Mlp<'static> =
        Mlp { between: Between::Plain(Activation::Relu2), up: Matrix::EMPTY, down: Matrix::EMPTY };

    /// `down(act(up(x)))` with `up` `[ffn, hidden]` and `down` `[hidden, ffn]`. `act` is any
    /// [`Activation`]; a frozen [`Xielu`](crate::Xielu) converts into one.
    ///
    /// # Errors
    /// [`Error::Shape`] if the shapes do not fit together.
    pub fn new(
        up: Matrix<'w>,
        down: Matrix<'w>,
        act: impl Into<Activation>,
    ) -> Result<Self, Error> {
        Mlp { between: Between::Plain(act.into()), up, down }.check()
    }

    /// SwiGLU: `down(silu(gate(x)) * up(x))` with `gate` and `up` `[ffn, hidden]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the shapes do not fit together, [`Error::NotBuilt`] where the build
    /// leaves gated layers out.
    pub fn gated(gate: Matrix<'w>, up: Matrix<'w>, down: Matrix<'w>) -> Result<Self, Error> {
        if !built::SWIGLU {
            return Err(Error::NotBuilt(ActivationKind::Swiglu));
        }
        same_shape("gate_proj", [up.rows(), up.cols()], &gate)?;
        if gate.takes_blocks() != up.takes_blocks() {
            return Err(Error::Shape {
                what: "gate_proj must be quantized if up_proj is",
                expected: [up.rows(), up.cols()],
                found: [gate.rows(), gate.cols()],
            });
        }
        Mlp { between: Between::Gated(gate), up, down }.check()
    }

    /// Its matrices and what is between them.
    #[cfg(feature = "cuda")]
    pub(crate) const fn parts(&self) -> Parts<'_, 'w> {
        let act = match &self.between {
            Between::Plain(act) => Ok(*act),
            Between::Gated(gate) => Err(gate),
        };
        Parts { act, up: &self.up, down: &self.down }
    }

    fn check(self) -> Result<Self, Error> {
        same_shape("down_proj", [self.up.cols(), self.up.rows()], &self.down)?;
        Ok(self)
    }

    /// The weights.
    pub(crate) fn matrices(&self) -> impl Iterator<Item = &Matrix<'w>> {
        let gate = match &self.between {
            Between::Plain(_) => None,
            Between::Gated(gate) => Some(gate),
        };
        [&self.up, &self.down].into_iter().chain(gate)
    }

    /// Bytes that [`Mlp::pack`] takes: those of the weights that `kernels` can pack.
    pub fn packed_bytes(&self, kernels: &Kernels) -> usize {
        packed_bytes(kernels, self.matrices())
    }

    /// The same layer with its weights copied to `memory` in the order of [`Kernels::pack`];
    /// those that cannot be packed stay where they are. Tiles of [`Mlp::forward_tiled`] are then
    /// multiples of 256.
    ///
    /// # Errors
    /// If `memory` is smaller than [`Mlp::packed_bytes`].
    pub fn pack(&self, kernels: &Kernels, memory: &'w mut [u8]) -> Result<Mlp<'w>, Error> {
        self.pack_with(&mut Packer::new(kernels, memory, self.packed_bytes(kernels))?)
    }

    pub(crate) fn pack_with(&self, packer: &mut Packer<'_, 'w>) -> Result<Mlp<'w>, Error> {
        let between = match &self.between {
            Between::Plain(act) => Between::Plain(*act),
            Between::Gated(gate) => Between::Gated(packer.pack(gate)?),
        };
        Ok(Mlp { between, up: packer.pack(&self.up)?, down: packer.pack(&self.down)? })
    }

    /// Width of the input and output.
    pub const fn hidden_size(&self) -> usize {
        self.up.cols()
    }

    /// Width of the hidden vector (ffn).
    pub const fn intermediate_size(&self) -> usize {
        self.up.rows()
    }

    /// The activation, unless the layer is gated.
    pub const fn activation(&self) -> Option<Activation> {
        match self.between {
            Between::Plain(act) => Some(act),
            Between::Gated(_) => None,
        }
    }

    /// Tiles of [`Mlp::forward_tiled`] are multiples of this: the block of the down projection, 32 or
    /// 256 if it is quantized or packed.
    pub const fn tile_multiple(&self) -> usize {
        self.down.column_unit()
    }

    /// `tile`, at most the whole width.
    pub(crate) fn checked_tile(&self, tile: usize) -> Result<usize, Error> {
        let (ffn, multiple) = (self.intermediate_size(), self.tile_multiple());
        let tile = tile.min(ffn);
        if tile == 0 || (tile < ffn && !tile.is_multiple_of(multiple)) {
            return Err(Error::Tile { tile, multiple });
        }
        Ok(tile)
    }

    /// Elements of scratch that `tokens` tokens take with tiles of `tile` hidden values (at most
    /// the whole width). [`MlpSizes::scratch_len`] is the same without a layer.
    pub const fn scratch_len(&self, tile: usize, tokens: usize) -> usize {
        let ffn = self.intermediate_size();
        let tile = if tile < ffn { tile } else { ffn };
        MlpSizes { hidden_size: self.hidden_size(), tile, tokens }.scratch_len()
    }

    /// `out[t] = mlp(x[t])` for `x` and `out` `[tokens, hidden]`, the hidden vector held whole.
    /// `scratch` is [`Mlp::scratch_len`] with `tile` = ffn; its contents do not matter.
    ///
    /// # Errors
    /// If a length does not fit; `out` is then unspecified.
    pub fn forward(
        &self,
        backend: &Backend<'_>,
        x: &[f32],
        out: &mut [f32],
        scratch: &mut [f32],
    ) -> Result<(), Error> {
        self.forward_tiled(backend, self.intermediate_size(), x, out, scratch)
    }

    /// As [`Mlp::forward`], holding `tile` hidden values per token at a time. `tile` is a
    /// multiple of [`Mlp::tile_multiple`] or at least the ffn width.
    ///
    /// # Errors
    /// As [`Mlp::forward`], and if `tile` is 0 or cuts a block.
    pub fn forward_tiled(
        &self,
        backend: &Backend<'_>,
        tile: usize,
        x: &[f32],
        out: &mut [f32],
        scratch: &mut [f32],
    ) -> Result<(), Error> {
        let hidden = self.hidden_size();
        let ffn = self.intermediate_size();
        let tile = self.checked_tile(tile)?;
        let cut = Error::Tile { tile, multiple: self.tile_multiple() };
        let mut out = tokens_of("mlp output", out, hidden)?;
        let tokens = out.tokens();
        if x.len() != tokens * hidden {
            return Err(
                crate::kernels::LengthError { expected: tokens * hidden, found: x.len() }.into()
            );
        }
        let needed = MlpSizes { hidden_size: hidden, tile, tokens }.scratch_len();
        let mut scratch = Scratch::new(scratch, needed)?;
        let x_blocks = scratch.input(tokens, hidden)?;
        let x = input_for(backend, &self.up, x, x_blocks)?;
        let quantized = self.down.takes_blocks();
        let blocks = scratch.input(if quantized { tokens } else { 0 }, tile)?;
        let values = scratch.f32(if quantized { 0 } else { tokens * tile })?;

        let mut start = 0;
        while start < ffn {
            let range = start..(start + tile).min(ffn);
            let down = self.down.columns(range.clone()).ok_or(cut)?;
            let h = if quantized {
                let blocks = blocks.get_mut(..tokens * InputBlock::per_row(range.len()));
                self.quantized_tile(backend, range.clone(), x, blocks.ok_or(cut)?)?
            } else {
                let values = values.get_mut(..tokens * range.len());
                self.float_tile(backend, range.clone(), x, values.ok_or(cut)?)?
            };
            backend.matmul(&down, h, out.reborrow(), start > 0)?;
            start = range.end;
        }
        Ok(())
    }

    /// The activated hidden values of `x`, `[tokens, ffn]`, as f32: what the down projection takes.
    /// `scratch` is [`MlpSizes::scratch_len`] with a tile of 0.
    ///
    /// # Errors
    /// If a length does not fit; `out` is then unspecified.
    pub fn hidden(
        &self,
        backend: &Backend<'_>,
        x: &[f32],
        out: &mut [f32],
        scratch: &mut [f32],
    ) -> Result<(), Error> {
        let (hidden_size, ffn) = (self.hidden_size(), self.intermediate_size());
        let tokens = tokens_of("hidden", out, ffn)?.tokens();
        let expected = tokens * hidden_size;
        if x.len() != expected {
            return Err(crate::kernels::LengthError { expected, found: x.len() }.into());
        }
        let needed = MlpSizes { hidden_size, tile: 0, tokens }.scratch_len();
        let blocks = Scratch::new(scratch, needed)?.input(tokens, hidden_size)?;
        let x = input_for(backend, &self.up, x, blocks)?;
        self.float_tile(backend, 0..ffn, x, out).map(drop)
    }

    /// The activated hidden values of the ffn rows `range`, `[tokens, range.len()]`.
    fn float_tile<'h>(
        &self,
        backend: &Backend<'_>,
        range: Range<usize>,
        x: Input<'_>,
        values: &'h mut [f32],
    ) -> Result<Input<'h>, Error> {
        let out = tokens_of("hidden", values, range.len())?;
        let operations = self.operations(&range, out.tokens());
        backend.parts_of_rows(out, QK, operations, &|first, part| {
            let first = range.start + first;
            self.with_rows(backend, first..first + part.rows(), |up, epilogue| {
                Ok(backend.kernels.matmul_activated(up, epilogue, x, part)?)
            })
        })?;
        Ok(Input::F32(values))
    }

    /// As [`Mlp::float_tile`], quantized.
    fn quantized_tile<'h>(
        &self,
        backend: &Backend<'_>,
        range: Range<usize>,
        x: Input<'_>,
        blocks: &'h mut [InputBlock],
    ) -> Result<Input<'h>, Error> {
        let per_row = InputBlock::per_row(range.len());
        let out = Output::new(blocks, per_row).ok_or(Error::OutOfRange("hidden"))?;
        let operations = self.operations(&range, out.tokens());
        backend.parts_of_rows(out, 1, operations, &|first, part| {
            let first = range.start + first * INPUT_BLOCK;
            let end = (first + part.rows() * INPUT_BLOCK).min(range.end);
            self.with_rows(backend, first..end, |up, epilogue| {
                Ok(backend.kernels.matmul_quantized(up, epilogue, x, part)?)
            })
        })?;
        Ok(Input::Quantized(blocks))
    }

    /// Multiply-adds of a tile.
    fn operations(&self, range: &Range<usize>, tokens: usize) -> usize {
        range.len().saturating_mul(self.up.cols()).saturating_mul(tokens)
    }

    /// Calls `f` with some of up's rows and what follows their product.
    fn with_rows(
        &self,
        backend: &Backend<'_>,
        rows: Range<usize>,
        f: impl FnOnce(&Matrix<'_>, Epilogue<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let up = self.up.rows_range(rows.clone()).ok_or(Error::OutOfRange("up_proj rows"))?;
        match &self.between {
            Between::Plain(act) => f(&up, backend.functions.epilogue(act)),
            Between::Gated(_) if !built::SWIGLU => Err(Error::NotBuilt(ActivationKind::Swiglu)),
            Between::Gated(gate) => {
                let gate = gate.rows_range(rows).ok_or(Error::OutOfRange("gate_proj rows"))?;
                f(&up, Epilogue::Swiglu(&gate))
            }
        }
    }
}

/// `x` as the weights take it: f32, or quantized into the first of `blocks`.
pub(crate) fn input_for<'x>(
    backend: &Backend<'_>,
    w: &Matrix<'_>,
    x: &'x [f32],
    blocks: &'x mut [InputBlock],
) -> Result<Input<'x>, Error> {
    if !w.takes_blocks() {
        return Ok(Input::F32(x));
    }
    let tokens = x.len().checked_div(w.cols()).unwrap_or(0);
    let blocks = blocks
        .get_mut(..tokens * InputBlock::per_row(w.cols()))
        .ok_or(Error::OutOfRange("input blocks"))?;
    backend.kernels.quantize_input(x, w.cols(), blocks)?;
    Ok(Input::Quantized(blocks))
}

/// `data` as `[tokens, width]`.
pub(crate) fn tokens_of<'a>(
    what: &'static str,
    data: &'a mut [f32],
    width: usize,
) -> Result<Output<'a>, Error> {
    let found = data.len();
    Output::new(data, width).ok_or(Error::Shape {
        what,
        expected: [found.checked_div(width).unwrap_or(0), width],
        found: [1, found],
    })
}

/// Fails unless `m` has the shape `expected`.
pub(crate) fn same_shape(
    what: &'static str,
    expected: [usize; 2],
    m: &Matrix<'_>,
) -> Result<(), Error> {
    let found = [m.rows(), m.cols()];
    if found == expected { Ok(()) } else { Err(Error::Shape { what, expected, found }) }
}

const _: () = {
    // Keeps the documented claim about the Apertus-8B layer true: tile 256, one token, 32 KB.
    let sizes = MlpSizes { hidden_size: 4096, tile: 256, tokens: 1 };
    assert!(sizes.scratch_len() * size_of::<f32>() < 32 * 1024);
};
