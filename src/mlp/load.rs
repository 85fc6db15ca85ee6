//! An MLP layer from a checkpoint.

use super::{Between, Mlp};
use crate::activation::{Form, Xiprelu};
use crate::checkpoint::{Checkpoint, LayerRole, Role, matrix};
use crate::kernels::{Activation, ActivationKind, Matrix, built};
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
        let mut mlp = Mlp::EMPTY;
        let all = [LayerRole::FfnUp, LayerRole::FfnDown, LayerRole::FfnGate];
        for kind in all.into_iter().filter(|kind| kind.is_in(config)) {
            let role = Role::Layer(layer, kind);
            let (rows, cols) = role.shape(config);
            mlp.put(kind, matrix(checkpoint, role, rows, cols)?);
        }
        mlp.finish(checkpoint, config, layer)
    }

    /// Puts one matrix in its place; [`Mlp::finish`] makes a layer of them.
    pub(crate) fn put(&mut self, role: LayerRole, matrix: Matrix<'w>) {
        match role {
            LayerRole::FfnUp => self.up = matrix,
            LayerRole::FfnDown => self.down = matrix,
            LayerRole::FfnGate => self.between = Between::Gated(matrix),
            _ => {}
        }
    }

    /// The layer of the matrices that were put and the activation of `layer`.
    pub(crate) fn finish<C>(
        &self,
        checkpoint: &C,
        config: &Config,
        layer: usize,
    ) -> Result<Self, Error>
    where
        C: Checkpoint<'w> + ?Sized,
    {
        let missing = |role| Error::MissingTensor(Role::Layer(layer, role));
        let Mlp { between, up, down } = *self;
        if !config.hidden_act.is_built() {
            return Err(Error::NotBuilt(config.hidden_act));
        }
        for (role, matrix) in [(LayerRole::FfnUp, &up), (LayerRole::FfnDown, &down)] {
            if matrix.rows() == 0 {
                return Err(missing(role));
            }
        }
        if config.hidden_act == ActivationKind::Swiglu && built::SWIGLU {
            let Between::Gated(gate) = between else {
                return Err(missing(LayerRole::FfnGate));
            };
            return Mlp::gated(gate, up, down);
        }
        Mlp::new(up, down, activation(checkpoint, config, layer)?)
    }
}

/// The frozen activation of `layer`; of a gated layer, nothing that is used.
pub(crate) fn activation<'w, C>(
    checkpoint: &C,
    config: &Config,
    layer: usize,
) -> Result<Activation, Error>
where
    C: Checkpoint<'w> + ?Sized,
{
    Ok(match config.hidden_act {
        ActivationKind::Xielu => checkpoint.raw_xielu(layer)?.checked()?.freeze(Form::Ideal).into(),
        ActivationKind::Xiprelu => Xiprelu::freeze(&checkpoint.raw_xielu(layer)?.checked()?).into(),
        ActivationKind::Silu => Activation::Silu,
        ActivationKind::Swiglu | ActivationKind::Relu2 => Activation::Relu2,
        // Those with parameters that no checkpoint stores.
        other => return Err(Error::NotBuilt(other)),
    })
}
