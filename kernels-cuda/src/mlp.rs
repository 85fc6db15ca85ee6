//! The MLP of one layer on the device: `down(act(up(x)))`, and its gated twin
//! `down(silu(gate(x)) * up(x))`.

use std::sync::Arc;

use cudarc::driver::{CudaSlice, CudaStream, DevicePtr, DevicePtrMut};
use xielu_kernels_simd::{Activation, ActivationKind};

use crate::{
    DeviceMatrix, Error, Forms, Inputs, InputsAt, Launch, OnStream, Prepare, Raw, Scalars,
    WeightsAt,
};

/// What is between the projections.
#[derive(Debug)]
enum Between {
    Plain(Activation),
    Gated(DeviceMatrix),
}

/// One MLP layer on the device. A call is four kernels (five if gated): the inputs are quantized,
/// multiplied with `up`, activated and quantized in one pass, multiplied with `down`.
#[derive(Debug)]
pub struct DeviceMlp {
    between: Between,
    up: DeviceMatrix,
    down: DeviceMatrix,
}

/// Working memory of [`DeviceMlp::forward`] for up to a number of tokens; layers of the same shape
/// and types share one.
#[derive(Debug)]
pub struct MlpScratch {
    x: Inputs,
    up: CudaSlice<f32>,
    gate: Option<CudaSlice<f32>>,
    hidden: Inputs,
}

/// An MLP at addresses of the device, with its working memory: what [`Raw::mlp`] computes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MlpAt {
    /// `[ffn, hidden]`.
    pub up: WeightsAt,
    /// SwiGLU's, of up's shape; without it the layer has an activation.
    pub gate: Option<WeightsAt>,
    /// `[hidden, ffn]`.
    pub down: WeightsAt,
    /// The activation and its scalars, unless there is a gate.
    pub act: (ActivationKind, Scalars),
    /// Where inputs are quantized to: `hidden` columns.
    pub x: InputsAt,
    /// f32 for `tokens * ffn` values, of up and (0 if there is none) of the gate.
    pub values: [u64; 2],
    /// Where activated values are quantized to: `ffn` columns.
    pub hidden: InputsAt,
}

impl<L: Launch> Raw<L> {
    /// `y = mlp(x)`, or `y += mlp(x)` if `add`: `[tokens, hidden]` f32 both.
    ///
    /// # Errors
    /// As [`Raw::quantize`] and [`Raw::matmul`]; what was queued before then has no effect on `y`.
    ///
    /// # Safety
    /// See [`Raw`]; the working memory is nobody else's until the work is done.
    pub unsafe fn mlp(
        &self,
        mlp: &MlpAt,
        x: u64,
        tokens: u64,
        y: u64,
        add: bool,
    ) -> Result<(), Error> {
        let [up, gate] = mlp.values;
        // SAFETY: the caller's promise, for every call.
        unsafe {
            self.quantize(Prepare::AsIs, x, tokens, &mlp.x)?;
            self.matmul(&mlp.up, &mlp.x, tokens, up, false)?;
            let prepare = match &mlp.gate {
                None => Prepare::Activate(mlp.act.0, mlp.act.1),
                Some(weights) => {
                    self.matmul(weights, &mlp.x, tokens, gate, false)?;
                    Prepare::Swiglu(gate)
                }
            };
            self.quantize(prepare, up, tokens, &mlp.hidden)?;
            self.matmul(&mlp.down, &mlp.hidden, tokens, y, add)
        }
    }
}

fn same(what: &'static str, expected: usize, found: usize) -> Result<(), Error> {
    if expected == found {
        return Ok(());
    }
    Err(Error::Length { what, expected: expected as u64, found: found as u64 })
}

impl DeviceMlp {
    /// `down(act(up(x)))` with `up` `[ffn, hidden]` and `down` `[hidden, ffn]`.
    ///
    /// # Errors
    /// If the shapes do not fit together, or there is no kernel of the function.
    pub fn new(
        up: DeviceMatrix,
        down: DeviceMatrix,
        act: impl Into<Activation>,
    ) -> Result<Self, Error> {
        let act = act.into();
        match act.kind() {
            ActivationKind::Xielu | ActivationKind::Xiprelu | ActivationKind::Relu2 => {}
            other => return Err(Error::NoKernel(other)),
        }
        DeviceMlp { between: Between::Plain(act), up, down }.check()
    }

    /// SwiGLU: `down(silu(gate(x)) * up(x))` with `gate` and `up` `[ffn, hidden]`.
    ///
    /// # Errors
    /// If the shapes do not fit together.
    pub fn gated(gate: DeviceMatrix, up: DeviceMatrix, down: DeviceMatrix) -> Result<Self, Error> {
        same("the rows of gate_proj", up.rows(), gate.rows())?;
        same("the columns of gate_proj", up.cols(), gate.cols())?;
        DeviceMlp { between: Between::Gated(gate), up, down }.check()
    }

    fn check(self) -> Result<Self, Error> {
        same("the rows of down_proj", self.up.cols(), self.down.rows())?;
        same("the columns of down_proj", self.up.rows(), self.down.cols())?;
        Ok(self)
    }

    /// Width of the input and output.
    pub fn hidden_size(&self) -> usize {
        self.up.cols()
    }

    /// Width between the projections.
    pub fn ffn_size(&self) -> usize {
        self.up.rows()
    }

    /// What the first products need of their inputs, and what the last one needs.
    fn forms(&self) -> [Forms; 2] {
        let first = Forms::of(self.up.dtype());
        let first = match &self.between {
            Between::Plain(_) => first,
            Between::Gated(gate) => first.and(Forms::of(gate.dtype())),
        };
        [first, Forms::of(self.down.dtype())]
    }

    /// Bytes of scratch for up to `tokens` tokens on the device; `None` if addresses do not count
    /// them.
    pub fn scratch_bytes(&self, tokens: usize) -> Option<usize> {
        let [first, last] = self.forms();
        let rows = if matches!(self.between, Between::Gated(_)) { 2 } else { 1 };
        let values = tokens.checked_mul(self.ffn_size())?.checked_mul(4 * rows)?;
        let x = Inputs::bytes_for(tokens, self.hidden_size(), first)?;
        let hidden = Inputs::bytes_for(tokens, self.ffn_size(), last)?;
        values.checked_add(x)?.checked_add(hidden)
    }

    /// Scratch for up to `tokens` tokens.
    ///
    /// # Errors
    /// If the device has too little memory.
    pub fn scratch(&self, stream: &Arc<CudaStream>, tokens: usize) -> Result<MlpScratch, Error> {
        let doing = Error::driver("allocating the working memory of an MLP");
        let [first, last] = self.forms();
        let n = tokens.checked_mul(self.ffn_size()).ok_or(Error::TooLarge(tokens as u64))?;
        let values = || stream.alloc_zeros::<f32>(n.max(1)).map_err(&doing);
        let gated = matches!(self.between, Between::Gated(_));
        Ok(MlpScratch {
            x: Inputs::new(stream, tokens, self.hidden_size(), first)?,
            up: values()?,
            gate: gated.then(values).transpose()?,
            hidden: Inputs::new(stream, tokens, self.ffn_size(), last)?,
        })
    }

    /// Addresses for [`Raw::mlp`]: they are valid as long as both exist, and nothing else may be done
    /// with the scratch meanwhile. What was queued on `stream` is waited for, so that any stream may
    /// use them.
    ///
    /// # Errors
    /// If the driver fails.
    pub fn at(&self, stream: &CudaStream, scratch: &mut MlpScratch) -> Result<MlpAt, Error> {
        let at = |m: &DeviceMatrix| m.at(m.data().device_ptr(stream).0);
        let (gate, act) = match &self.between {
            Between::Plain(act) => (None, (act.kind(), Scalars::from(act))),
            Between::Gated(gate) => (Some(at(gate)), (ActivationKind::Swiglu, Scalars::NONE)),
        };
        let values = [
            scratch.up.device_ptr_mut(stream).0,
            scratch.gate.as_mut().map_or(0, |gate| gate.device_ptr_mut(stream).0),
        ];
        let mlp = MlpAt {
            up: at(&self.up),
            gate,
            down: at(&self.down),
            act,
            x: scratch.x.write(stream).0,
            values,
            hidden: scratch.hidden.write(stream).0,
        };
        stream.synchronize().map_err(Error::driver("waiting for weights to be copied"))?;
        Ok(mlp)
    }

    /// `y = mlp(x)`, or `y += mlp(x)` if `add` (the residual): `[tokens, hidden]` both. Nothing is
    /// allocated, and nothing waited for.
    ///
    /// # Errors
    /// If the scratch is of a layer of another shape, of other types or for fewer tokens, lengths or
    /// contexts differ, or a launch fails.
    pub fn forward(
        &self,
        on: &OnStream<'_>,
        x: &dyn DevicePtr<f32>,
        tokens: usize,
        scratch: &mut MlpScratch,
        y: &mut dyn DevicePtrMut<f32>,
        add: bool,
    ) -> Result<(), Error> {
        let n = tokens.saturating_mul(self.hidden_size());
        on.operand("x", n, x)?;
        on.operand("y", n, y)?;
        let MlpScratch { x: inputs, up, gate, hidden } = scratch;
        same("the scratch's inputs", self.hidden_size(), inputs.cols())?;
        same("the scratch's hidden values", self.ffn_size(), hidden.cols())?;
        if tokens > inputs.tokens() {
            same("the scratch's tokens", tokens, inputs.tokens())?;
        }
        if tokens == 0 {
            return Ok(());
        }
        let between = ..tokens * self.ffn_size();
        on.quantize(x, tokens, inputs)?;
        on.matmul(&self.up, inputs, tokens, &mut up.slice_mut(between), false)?;
        match (&self.between, gate) {
            (Between::Plain(act), _) => {
                on.activate(act, &up.slice(between), tokens, hidden)?;
            }
            (Between::Gated(weights), Some(gate)) => {
                on.matmul(weights, inputs, tokens, &mut gate.slice_mut(between), false)?;
                let operands: [&dyn DevicePtr<f32>; 2] = [&gate.slice(between), &up.slice(between)];
                on.activate_swiglu(operands, tokens, hidden)?;
            }
            (Between::Gated(_), None) => return Err(Error::Null("the scratch's gate")),
        }
        on.matmul(&self.down, hidden, tokens, y, add)
    }
}
