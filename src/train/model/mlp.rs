//! The MLP: up, activation, down; or gate and up, SwiGLU, down.

use candle_core::{Result, Tensor};

use super::linear;
use crate::Config;
use crate::checkpoint::{LayerRole, Role};
use crate::config::HiddenAct;
use crate::train::TrainError;
use crate::train::ops::{relu2, swiglu, xielu, xiprelu};

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
            Activation::Relu2 => relu2(&up)?,
            Activation::Swiglu(gate) => swiglu(&linear(x, gate)?, &up)?,
        };
        linear(&active, &self.down)
    }
}
