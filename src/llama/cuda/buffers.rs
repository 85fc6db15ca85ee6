//! The values of one batch on a device.

use core::ops::Range;

use super::needs::Needs;
use super::weights::{DeviceNorm, copying};
use crate::cuda::cudarc::driver::{CudaSlice, DriverError};
use crate::cuda::decoder::{HeadShape, Marks};
use crate::cuda::{DeviceMatrix, Error as DeviceError, Inputs, OnStream};
use crate::{Config, Error};

/// Tokens whose logits are on the device at a time.
const LOGIT_ROWS: usize = 64;

/// Elements of each buffer; their names are those of [`Buffers`].
pub(super) struct Sizes {
    x: usize,
    q: usize,
    k: usize,
    up: usize,
    gate: usize,
    logits: usize,
    sums: usize,
    batch: usize,
    marks: usize,
    /// Bytes of the inputs.
    inputs: usize,
}

impl Sizes {
    pub(super) fn new(config: &Config, needs: &Needs, shape: &HeadShape, batch: usize) -> Self {
        let of = |width: usize| width.saturating_mul(batch);
        let up = of(config.intermediate_size);
        let inputs = [
            (config.hidden_size, needs.hidden),
            (config.q_size(), needs.heads),
            (config.intermediate_size, needs.ffn),
        ];
        let inputs =
            inputs.map(|(cols, forms)| Inputs::bytes_for(batch, cols, forms).unwrap_or(usize::MAX));
        Sizes {
            x: of(config.hidden_size),
            q: of(config.q_size()),
            k: of(config.kv_size()),
            up,
            gate: if needs.gated { up } else { 1 },
            logits: config.output_vocab_size.saturating_mul(batch.min(LOGIT_ROWS)),
            sums: shape.workspace_len(batch).max(1),
            batch,
            marks: Marks::len(shape, batch),
            inputs: inputs.into_iter().fold(0, usize::saturating_add),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        let twice = [self.x, self.q, self.k].into_iter().fold(0, usize::saturating_add);
        let once = [self.up, self.gate, self.logits, self.sums, self.batch, self.marks];
        let elements = once.into_iter().fold(twice.saturating_mul(2), usize::saturating_add);
        elements.saturating_mul(4).saturating_add(self.inputs) as u64
    }
}

#[derive(Debug)]
pub(super) struct Buffers {
    /// The residual stream, `[tokens, hidden]`.
    pub x: CudaSlice<f32>,
    /// Normalised inputs of a block; after the last layer those of the output head.
    h: CudaSlice<f32>,
    pub q: CudaSlice<f32>,
    pub k: CudaSlice<f32>,
    pub v: CudaSlice<f32>,
    /// Outputs of the heads.
    pub attn: CudaSlice<f32>,
    pub up: CudaSlice<f32>,
    pub gate: CudaSlice<f32>,
    logits: CudaSlice<f32>,
    /// Of attention's chunks.
    pub sums: CudaSlice<f32>,
    pub ids: CudaSlice<u32>,
    pub marks: Marks,
    /// Inputs of products: normalised states, outputs of the heads, activated values.
    pub hidden: Inputs,
    pub heads: Inputs,
    pub ffn: Inputs,
    hidden_size: usize,
    vocab: usize,
}

fn allocating(error: DriverError) -> Error {
    DeviceError::Driver { doing: "allocating the values of a batch", error }.into()
}

impl Buffers {
    pub(super) fn new(
        on: &OnStream<'_>,
        config: &Config,
        needs: &Needs,
        shape: &HeadShape,
        batch: usize,
    ) -> Result<Self, Error> {
        let sizes = Sizes::new(config, needs, shape, batch);
        let floats = |len: usize| on.stream().alloc_zeros::<f32>(len).map_err(allocating);
        let inputs = |cols, forms| Inputs::new(on.stream(), batch, cols, forms);
        Ok(Buffers {
            x: floats(sizes.x)?,
            h: floats(sizes.x)?,
            q: floats(sizes.q)?,
            k: floats(sizes.k)?,
            v: floats(sizes.k)?,
            attn: floats(sizes.q)?,
            up: floats(sizes.up)?,
            gate: floats(sizes.gate)?,
            logits: floats(sizes.logits)?,
            sums: floats(sizes.sums)?,
            ids: on.stream().alloc_zeros(sizes.batch).map_err(allocating)?,
            marks: Marks::new(on, shape, batch)?,
            hidden: inputs(config.hidden_size, needs.hidden)?,
            heads: inputs(config.q_size(), needs.heads)?,
            ffn: inputs(config.intermediate_size, needs.ffn)?,
            hidden_size: config.hidden_size,
            vocab: config.output_vocab_size,
        })
    }

    /// `h = norm(x)`; a row that is no number is noted as `code`.
    pub(super) fn norm(
        &mut self,
        on: &OnStream<'_>,
        norm: &DeviceNorm,
        tokens: usize,
        code: u32,
    ) -> Result<(), Error> {
        let len = tokens * self.hidden_size;
        let (x, mut h) = (self.x.slice(..len), self.h.slice_mut(..len));
        Ok(on.rms_norm(&x, &norm.weight, norm.eps, &mut h, (&mut self.marks, code))?)
    }

    /// Some rows of `h` as inputs of products.
    pub(super) fn prepare_hidden(
        &mut self,
        on: &OnStream<'_>,
        rows: Range<usize>,
    ) -> Result<(), Error> {
        let h = self.h.slice(rows.start * self.hidden_size..rows.end * self.hidden_size);
        Ok(on.quantize(&h, rows.len(), &mut self.hidden)?)
    }

    /// Tokens whose logits there is room for.
    pub(super) fn logit_rows(&self) -> usize {
        self.logits.len().checked_div(self.vocab).unwrap_or(0).max(1)
    }

    /// Queues the logits of some rows of `h`, [`Buffers::logit_rows`] at most.
    pub(super) fn queue_logits(
        &mut self,
        on: &OnStream<'_>,
        output: &DeviceMatrix,
        rows: Range<usize>,
    ) -> Result<(), Error> {
        self.prepare_hidden(on, rows.clone())?;
        let mut logits = self.logits.slice_mut(..rows.len() * self.vocab);
        Ok(on.matmul(output, &self.hidden, rows.len(), &mut logits, false)?)
    }

    /// Copies the logits of `rows` tokens to `out` and waits for them.
    pub(super) fn copy_logits(
        &self,
        on: &OnStream<'_>,
        rows: usize,
        out: &mut [f32],
    ) -> Result<(), Error> {
        let logits = self.logits.slice(..rows * self.vocab);
        let out = out.get_mut(..logits.len()).ok_or(Error::OutOfRange("logits"))?;
        on.stream().memcpy_dtoh(&logits, out).map_err(copying)?;
        on.stream().synchronize().map_err(copying)?;
        Ok(())
    }

    /// Queues the choice of the largest logit of one token.
    pub(super) fn argmax(&mut self, on: &OnStream<'_>) -> Result<(), Error> {
        Ok(on.argmax(&self.logits.slice(..self.vocab), &mut self.marks)?)
    }
}
