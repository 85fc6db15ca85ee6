//! The MLP in one op: its hidden vectors stay inside.

use std::sync::OnceLock;
use std::vec;
use std::vec::Vec;

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Result, Shape, Tensor};

use super::functions::Function;
use super::sink::{Sink, Weight, from_storage, into_storage, with_values};
use crate::kernels::ActivationKind;

/// What an MLP does between its projections, with the tensors it needs for it.
#[derive(Clone, Debug)]
pub enum MlpActivation {
    /// A function of one value, with the stored `alpha_p` and `alpha_n` if it learns them.
    Plain(ActivationKind, Option<[Tensor; 2]>),
    /// SwiGLU, with the matrix of the gate.
    Gated(Tensor),
}

/// `down(activation(up(x)))`; f32 on the CPU. Gradients of all weights go to the sink.
///
/// # Errors
/// If the shapes do not fit together.
pub fn mlp(
    x: &Tensor,
    up: &Tensor,
    down: &Tensor,
    activation: &MlpActivation,
    sink: &Sink,
) -> Result<Tensor> {
    let weight = |w: &Tensor| Weight::new(w, sink);
    let value = |t: &Tensor| t.reshape(())?.to_scalar::<f32>();
    let between = match activation {
        MlpActivation::Plain(f, None) if f.has_alphas() => refuse!("{f} without its alphas"),
        MlpActivation::Plain(f, None) => Between::Plain(*f, [0.0; 2], None),
        MlpActivation::Plain(f, Some([p, n])) => {
            Between::Plain(*f, [value(p)?, value(n)?], Some([weight(p), weight(n)]))
        }
        MlpActivation::Gated(gate) => Between::Gated(weight(gate)),
    };
    let op = Mlp { up: weight(up), down: weight(down), between, kept: OnceLock::new() };
    x.contiguous()?.apply_op1(op)
}

struct Mlp {
    up: Weight,
    down: Weight,
    between: Between,
    kept: OnceLock<Kept>,
}

enum Between {
    /// With the values of both alphas, and the alphas.
    Plain(ActivationKind, [f32; 2], Option<[Weight; 2]>),
    /// With the matrix of the gate.
    Gated(Weight),
}

/// What the gradients need.
struct Kept {
    up: Tensor,
    gate: Option<Tensor>,
    active: Tensor,
}

impl Between {
    fn forward(&self, [up, gate]: [&[f32]; 2], out: &mut [f32]) -> Result<()> {
        match self {
            Between::Plain(f, raw, _) => Function::forward(*f, *raw, up, out),
            Between::Gated(_) => Function::swiglu([gate, up], out),
        }
    }

    /// From `[up, gate, grad]` to the gradients of `up` (and `gate`); the alphas' go to the sink.
    fn backward(&self, from: [&[f32]; 3], [d_up, d_gate]: [&mut [f32]; 2]) -> Result<()> {
        let [up, gate, grad] = from;
        match self {
            Between::Plain(f, raw, weights) => {
                let sums = Function::backward(*f, *raw, up, grad, d_up)?;
                for (weight, sum) in weights.iter().flatten().zip(sums) {
                    weight.add_gradient(&Tensor::new(&[sum], &Device::Cpu)?)?;
                }
                Ok(())
            }
            Between::Gated(_) => Function::swiglu_backward([gate, up], grad, [d_gate, d_up]),
        }
    }
}

impl CustomOp1 for Mlp {
    fn name(&self) -> &'static str {
        "mlp"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = from_storage(x, layout)?;
        let up = self.up.product(&x)?;
        let gate = match &self.between {
            Between::Gated(gate) => Some(gate.product(&x)?),
            _ => None,
        };
        let mut active = vec![0.0; up.elem_count()];
        with_values(&up, |up_values| {
            with_gate(gate.as_ref(), |gate| self.between.forward([up_values, gate], &mut active))
        })?;
        let active = Tensor::from_vec(active, up.shape(), &Device::Cpu)?;
        let out = into_storage(&self.down.product(&active)?);
        // Set once: an op is applied once.
        let _ = self.kept.set(Kept { up, gate, active });
        out
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let Some(Kept { up, gate, active }) = self.kept.get() else {
            refuse!("mlp: gradients before values")
        };
        let x = x.detach();
        let d_active = self.down.gradients(active, &grad.contiguous()?)?;
        let mut d_up = vec![0.0; up.elem_count()];
        let mut d_gate: Vec<f32> = vec![0.0; gate.as_ref().map_or(0, Tensor::elem_count)];
        with_values(up, |up| {
            with_values(&d_active, |grad| {
                with_gate(gate.as_ref(), |gate| {
                    let to = [&mut d_up[..], &mut d_gate[..]];
                    self.between.backward([up, gate, grad], to)
                })
            })
        })?;
        let tensor = |values: Vec<f32>| Tensor::from_vec(values, up.shape(), &Device::Cpu);
        let dx = self.up.gradients(&x, &tensor(d_up)?)?;
        match &self.between {
            Between::Gated(gate) => Ok(Some((dx + gate.gradients(&x, &tensor(d_gate)?)?)?)),
            _ => Ok(Some(dx)),
        }
    }
}

/// Calls `f` with the values of the gate, where there is one.
fn with_gate<R>(gate: Option<&Tensor>, f: impl FnOnce(&[f32]) -> Result<R>) -> Result<R> {
    match gate {
        Some(gate) => with_values(gate, f),
        None => f(&[]),
    }
}
