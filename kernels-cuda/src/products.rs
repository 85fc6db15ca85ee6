//! Products of weights and inputs.

use cudarc::driver::{DevicePtr, DevicePtrMut};

use crate::raw::{apart, buffer};
use crate::weights::{Form, TILE_ROWS, Tiled};
use crate::{DeviceMatrix, Error, Inputs, InputsAt, Launch, OnStream, Raw, WeightsAt, args};

/// Warps of a block.
const WARPS: u64 = 8;
/// Tokens that the entry points of `gemv.cuh` take at once.
const TILED: &[u64] = &[1, 4];
/// The same of `mma.cuh`'s few tokens, and of its prompts.
const MMA: &[u64] = &[8, 16];
const PROMPT: u64 = 64;
/// The entry point of prompts, and the fewest tokens it is called for: from there on rereading the
/// weights for each 16 tokens costs more than what splits their columns saves.
const PROMPT_ENTRY: usize = 2;
const PROMPT_FROM: u64 = 33;
/// The same of float weights.
const FLOATS: &[u64] = &[1, 2, 4, 8];
/// Rows of a warp, `ROWS` in `cuda/gemv_float.cuh`.
const FLOAT_ROWS: u64 = 2;

/// The warps that share `steps` pieces of a row: as many as all have one, up to a block's.
fn split(steps: u64) -> u64 {
    if steps >= WARPS { WARPS } else { 1 << steps.max(1).ilog2() }
}

/// The entry point for `tokens` tokens, and how many it takes at once.
fn entry_for(entries: &[u64], tokens: u64) -> (usize, u64) {
    let last = entries.len() - 1;
    let entry = entries.iter().position(|&most| tokens <= most).unwrap_or(last);
    (entry, entries[entry])
}

impl<L: Launch> Raw<L> {
    /// `y[t][r] = sum over c of w[r][c] * x[t][c]` for `tokens` rows of `x`, added to `y` if `add`.
    ///
    /// Quantized weights are multiplied with quantized inputs, as on the CPU: integer sums of 32 (or
    /// 16) products are exact, and added in f32 in one order for each matrix and class of kernel, from
    /// run to run and however many tokens there are. The classes are one token, 2 to 32, and more;
    /// below compute capability 8.0, where the tensor cores do not multiply bytes so, all but one
    /// token are one class. Float weights are multiplied with f32 inputs, in one order always.
    ///
    /// # Errors
    /// If the inputs have other columns, fewer tokens, or not the form that the weights need; if an
    /// address is null, misaligned or overlaps, or the launch fails.
    ///
    /// # Safety
    /// See [`Raw`].
    pub unsafe fn matmul(
        &self,
        w: &WeightsAt,
        x: &InputsAt,
        tokens: u64,
        y: u64,
        add: bool,
    ) -> Result<(), Error> {
        if w.cols != x.cols {
            let (what, expected) = ("a row of the inputs", w.cols);
            return Err(Error::Length { what, expected, found: x.cols });
        }
        let quantized = w.dtype.is_quantized();
        if (if quantized { x.quants } else { x.values }) == 0 {
            return Err(Error::InputForm(w.dtype));
        }
        let n = w.rows.checked_mul(tokens).ok_or(Error::TooLarge(w.rows))?;
        let inputs = x.check(tokens)?;
        if n == 0 || w.cols == 0 {
            return Ok(());
        }
        let out = buffer("y", y, n, 4, 4)?;
        apart(out, w.check()?, false)?;
        inputs.into_iter().try_for_each(|input| apart(out, input, false))?;
        let call = Call { w, x: x.arg()?, tokens, y, add: add.into() };
        match Form::of(w.dtype) {
            // SAFETY: the caller's promise.
            Form::Tiles(tiled) => unsafe { self.tiled(&tiled, call) },
            // SAFETY: the caller's promise.
            Form::Float(kernel) => unsafe { self.float(kernel, call) },
        }
    }

    /// # Safety
    /// See [`Raw`].
    unsafe fn tiled(&self, tiled: &Tiled, call: Call<'_>) -> Result<(), Error> {
        let Call { w, x, tokens, y, add } = call;
        let tiles = w.tiles(tiled);
        let split = split(tiles.blocks.div_ceil(tiled.step));
        let tensor_cores = tiled.mma.capability() <= self.0.capability();
        let (kernel, (entry, at_once), split) = match tokens {
            PROMPT_FROM.. if tensor_cores => (tiled.mma, (PROMPT_ENTRY, PROMPT), 1),
            2.. if tensor_cores => (tiled.mma, entry_for(MMA, tokens), split),
            _ => (tiled.gemv, entry_for(TILED, tokens), split),
        };
        let groups = w.rows.div_ceil(TILE_ROWS).div_ceil(WARPS / split);
        let args = args::Product { w: tiles, x, y, tokens, split: split as u32, add };
        // SAFETY: the struct is this kernel's; the caller vouches for the addresses.
        unsafe { self.run(kernel, entry, groups * tokens.div_ceil(at_once), &args) }
    }

    /// # Safety
    /// See [`Raw`].
    unsafe fn float(&self, kernel: crate::Kernel, call: Call<'_>) -> Result<(), Error> {
        let Call { w, x, tokens, y, add } = call;
        let stride = w.float_stride();
        // Two accesses of a warp.
        let step = 2 * 32 * 16 / w.dtype.block_bytes() as u64;
        let split = split(stride.div_ceil(step));
        let (entry, at_once) = entry_for(FLOATS, tokens);
        let groups = w.rows.div_ceil(WARPS / split * FLOAT_ROWS);
        let args = args::FloatProduct {
            w: w.address,
            stride,
            rows: w.rows,
            x,
            y,
            tokens,
            split: split as u32,
            add,
        };
        // SAFETY: the struct is this kernel's; the caller vouches for the addresses.
        unsafe { self.run(kernel, entry, groups * tokens.div_ceil(at_once), &args) }
    }
}

/// A product, checked.
struct Call<'a> {
    w: &'a WeightsAt,
    x: args::Inputs,
    tokens: u64,
    y: u64,
    add: u32,
}

impl OnStream<'_> {
    /// `y[t][r] = sum over c of w[r][c] * x[t][c]`, `[tokens, rows]`, added to `y` if `add`. The sums
    /// are those of the CPU's products up to the order of f32 additions; see [`Raw::matmul`].
    ///
    /// # Errors
    /// If the inputs have other columns, fewer tokens, or not the form that the weights need; if
    /// lengths or contexts differ, or the launch fails. Nothing is written then.
    pub fn matmul(
        &self,
        w: &DeviceMatrix,
        x: &Inputs,
        tokens: usize,
        y: &mut dyn DevicePtrMut<f32>,
        add: bool,
    ) -> Result<(), Error> {
        self.operand("the weights", w.data().len(), w.data())?;
        self.inputs_of("the inputs", x)?;
        self.operand("y", tokens.saturating_mul(w.rows()), y)?;
        let (address, _w) = w.data().device_ptr(self.stream());
        let (x, _x) = x.read(self.stream());
        let (y, _y) = y.device_ptr_mut(self.stream());
        // SAFETY: all are of this context and hold what their shapes say (`DeviceMatrix::upload` and
        // `Inputs::new` made them, `y` is checked above); the guards order this work after what was
        // queued on them.
        unsafe { self.raw().matmul(&w.at(address), &x, tokens as u64, y, add) }
    }
}
