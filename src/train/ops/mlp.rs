//! The MLP in one op: its hidden vectors stay inside.

use std::sync::OnceLock;
use std::vec;
use std::vec::Vec;

use candle_core::{CpuStorage, CustomOp1, Device, Error, Layout, Result, Shape, Tensor};

use super::functions::{Function, Learned};
use super::sink::{Sink, Weight, from_storage, into_storage, with_values};

/// What an MLP does between its projections, with the tensors it needs for it.
#[derive(Clone, Debug)]
pub enum MlpActivation {
    /// xIELU, with the stored `alpha_p` and `alpha_n`.
    Xielu([Tensor; 2]),
    /// xIPReLU, with the stored `alpha_p` and `alpha_n`.
    Xiprelu([Tensor; 2]),
    /// `max(0, x)^2`.
    Relu2,
    /// `silu(gate) * up`, with the matrix of the gate.
    Swiglu(Tensor),
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
    let learned = |f, [p, n]: &[Tensor; 2]| {
        let value = |t: &Tensor| t.reshape(())?.to_scalar::<f32>();
        Ok::<_, Error>(Activation::Learned(f, [value(p)?, value(n)?], [weight(p), weight(n)]))
    };
    let activation = match activation {
        MlpActivation::Xielu(alphas) => learned(Learned::Xielu, alphas)?,
        MlpActivation::Xiprelu(alphas) => learned(Learned::Xiprelu, alphas)?,
        MlpActivation::Relu2 => Activation::Relu2,
        MlpActivation::Swiglu(gate) => Activation::Swiglu(weight(gate)),
    };
    let op = Mlp { up: weight(up), down: weight(down), activation, kept: OnceLock::new() };
    x.contiguous()?.apply_op1(op)
}

struct Mlp {
    up: Weight,
    down: Weight,
    activation: Activation,
    kept: OnceLock<Kept>,
}

enum Activation {
    /// With the values of both alphas.
    Learned(Learned, [f32; 2], [Weight; 2]),
    Relu2,
    /// With the matrix of the gate.
    Swiglu(Weight),
}

/// What the gradients need.
struct Kept {
    up: Tensor,
    gate: Option<Tensor>,
    active: Tensor,
}

impl Activation {
    fn forward(&self, [up, gate]: [&[f32]; 2], out: &mut [f32]) -> Result<()> {
        match self {
            Activation::Learned(f, raw, _) => Function::learned(*f, *raw, up, out),
            Activation::Relu2 => Function::relu2(up, out),
            Activation::Swiglu(_) => Function::swiglu([gate, up], out),
        }
    }

    /// From `[up, gate, grad]` to the gradients of `up` (and `gate`); the alphas' go to the sink.
    fn backward(&self, from: [&[f32]; 3], [d_up, d_gate]: [&mut [f32]; 2]) -> Result<()> {
        let [up, gate, grad] = from;
        match self {
            Activation::Learned(f, raw, weights) => {
                let sums = Function::learned_gradients(*f, *raw, [up, grad], d_up)?;
                for (weight, sum) in weights.iter().zip(sums) {
                    weight.add_gradient(&Tensor::new(&[sum], &Device::Cpu)?)?;
                }
                Ok(())
            }
            Activation::Relu2 => Function::relu2_gradient([up, grad], d_up),
            Activation::Swiglu(_) => Function::swiglu_gradients([gate, up, grad], [d_gate, d_up]),
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
        let gate = match &self.activation {
            Activation::Swiglu(gate) => Some(gate.product(&x)?),
            _ => None,
        };
        let mut active = vec![0.0; up.elem_count()];
        with_values(&up, |up_values| {
            with_gate(gate.as_ref(), |gate| self.activation.forward([up_values, gate], &mut active))
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
                    self.activation.backward([up, gate, grad], to)
                })
            })
        })?;
        let tensor = |values: Vec<f32>| Tensor::from_vec(values, up.shape(), &Device::Cpu);
        let dx = self.up.gradients(&x, &tensor(d_up)?)?;
        match &self.activation {
            Activation::Swiglu(gate) => Ok(Some((dx + gate.gradients(&x, &tensor(d_gate)?)?)?)),
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
