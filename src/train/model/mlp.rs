//! The MLP: up, activation, down; or gate and up, SwiGLU, down.

use candle_core::{Result, Tensor};

use super::linear;
use crate::Config;
use crate::checkpoint::{LayerRole, Role};
use crate::config::HiddenAct;
use crate::train::TrainError;

#[derive(Debug)]
pub(super) struct Mlp {
    up: Tensor,
    down: Tensor,
    activation: Activation,
}

#[derive(Debug)]
enum Activation {
    Xielu([Tensor; 2]),
    Xiprelu([Tensor; 2]),
    Relu2,
    /// With the matrix of the gate.
    Swiglu(Tensor),
}

/// `beta` of every model: not trained.
const BETA: f64 = 0.5;

impl Mlp {
    pub fn new(
        config: &Config,
        of: impl Fn(LayerRole) -> std::result::Result<Tensor, TrainError>,
        alphas: Option<[Tensor; 2]>,
    ) -> std::result::Result<Self, TrainError> {
        let alphas = || alphas.ok_or_else(|| super::missing(Role::Layer(0, LayerRole::FfnUp)));
        let activation = match config.hidden_act {
            HiddenAct::Xielu => Activation::Xielu(alphas()?),
            HiddenAct::Xiprelu => Activation::Xiprelu(alphas()?),
            HiddenAct::Relu2 => Activation::Relu2,
            HiddenAct::Swiglu => Activation::Swiglu(of(LayerRole::FfnGate)?),
        };
        Ok(Mlp { up: of(LayerRole::FfnUp)?, down: of(LayerRole::FfnDown)?, activation })
    }

    /// `x` is `[tokens, hidden]`, as is the result.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let up = linear(x, &self.up)?;
        let active = match &self.activation {
            Activation::Xielu(alphas) => xielu(&up, alphas)?,
            Activation::Xiprelu(alphas) => xiprelu(&up, alphas)?,
            Activation::Relu2 => up.relu()?.sqr()?,
            Activation::Swiglu(gate) => (linear(x, gate)?.silu()? * up)?,
        };
        linear(&active, &self.down)
    }
}

/// `ln(1 + e^raw)`.
fn softplus(raw: &Tensor) -> Result<Tensor> {
    raw.relu()? + (raw.abs()?.neg()?.exp()? + 1.0)?.log()?
}

fn xielu(x: &Tensor, [raw_p, raw_n]: &[Tensor; 2]) -> Result<Tensor> {
    let (alpha_p, alpha_n) = (softplus(raw_p)?, (softplus(raw_n)? + BETA)?);
    let (positive, negative) = (x.relu()?, x.neg()?.relu()?.neg()?);
    let curve = ((negative.exp()? - 1.0)? - &negative)?;
    let curves = (positive.sqr()?.broadcast_mul(&alpha_p)? + curve.broadcast_mul(&alpha_n)?)?;
    curves + (x * BETA)?
}

fn xiprelu(x: &Tensor, [raw_p, raw_n]: &[Tensor; 2]) -> Result<Tensor> {
    let (alpha_p, alpha_n) = (softplus(raw_p)?, softplus(raw_n)?);
    let (positive, negative) = (x.relu()?, x.neg()?.relu()?);
    let curves =
        (positive.sqr()?.broadcast_mul(&alpha_p)? + negative.sqr()?.broadcast_mul(&alpha_n)?)?;
    curves + (x * BETA)?
}
