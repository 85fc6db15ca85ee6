//! An MLP layer from a checkpoint.

use super::Mlp;
use crate::checkpoint::{Checkpoint, LayerRole, Role, matrix};
use crate::config::HiddenAct;
use crate::kernels::{Activation, built};
use crate::{Config, Error};

impl<'w> Mlp<'w> {
    /// Layer `layer` of a checkpoint, usable alone: run it on your own vectors.
    ///
    /// # Errors
    /// If a tensor is missing or has the wrong shape or type, or the activation's scalars are
    /// missing, or the build leaves the activation or a type out.
    pub fn load<C>(checkpoint: &C, config: &Config, layer: usize) -> Result<Self, Error>
    where
        C: Checkpoint<'w> + ?Sized,
    {
        let Config { hidden_size: hidden, intermediate_size: ffn, .. } = *config;
        let get = |role, rows, cols| matrix(checkpoint, Role::Layer(layer, role), rows, cols);
        if !config.hidden_act.is_built() {
            return Err(Error::NotBuilt(config.hidden_act));
        }
        let up = get(LayerRole::FfnUp, ffn, hidden)?;
        let down = get(LayerRole::FfnDown, hidden, ffn)?;
        let activation: Activation = match config.hidden_act {
            HiddenAct::Swiglu if built::SWIGLU => {
                return Mlp::gated(get(LayerRole::FfnGate, ffn, hidden)?, up, down);
            }
            HiddenAct::Swiglu | HiddenAct::Relu2 => Activation::Relu2,
            HiddenAct::Xielu => checkpoint.raw_xielu(layer)?.checked()?.freeze().into(),
            HiddenAct::Xiprelu => checkpoint.raw_xielu(layer)?.checked()?.freeze_xiprelu().into(),
        };
        Mlp::new(up, down, activation)
    }
}
