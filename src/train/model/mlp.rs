//! The MLP: up, activation, down; or gate and up, SwiGLU, down.

use candle_core::{Result, Tensor};

use super::parameters::missing;
use super::pass::{Pass, linear};
use crate::Config;
use crate::checkpoint::{LayerRole, Role};
use crate::train::TrainError;
use crate::train::ops::{MlpActivation, activate, mlp, swiglu};

#[derive(Debug)]
pub(super) struct Mlp {
    up: Tensor,
    down: Tensor,
    activation: MlpActivation,
}

impl Mlp {
    pub fn new(
        config: &Config,
        of: impl Fn(LayerRole) -> std::result::Result<Tensor, TrainError>,
        alphas: Option<[Tensor; 2]>,
    ) -> std::result::Result<Self, TrainError> {
        let alphas = || alphas.ok_or_else(|| missing(Role::Layer(0, LayerRole::FfnUp)));
        let activation = match config.hidden_act {
            act if act.is_gated() => MlpActivation::Gated(of(LayerRole::FfnGate)?),
            act if act.has_alphas() => MlpActivation::Plain(act, Some(alphas()?)),
            act => MlpActivation::Plain(act, None),
        };
        Ok(Mlp { up: of(LayerRole::FfnUp)?, down: of(LayerRole::FfnDown)?, activation })
    }

    /// `x` is `[tokens, hidden]`, as is the result.
    pub fn forward(&self, pass: &Pass<'_>, x: &Tensor) -> Result<Tensor> {
        if let Some(sink) = pass.sink {
            return mlp(x, &self.up, &self.down, &self.activation, sink);
        }
        let up = linear(x, &self.up)?;
        let active = match &self.activation {
            MlpActivation::Plain(act, alphas) => activate(*act, &up, alphas.as_ref())?,
            MlpActivation::Gated(gate) => swiglu(&linear(x, gate)?, &up)?,
        };
        linear(&active, &self.down)
    }
}
