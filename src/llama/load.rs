//! Filling layers from a checkpoint: one walk through its tensors, whatever their order.

use super::layer::Layer;
use super::norm::RmsNorm;
use crate::checkpoint::{Checkpoint, LayerRole, Role};
use crate::kernels::Matrix;
use crate::{Config, Error};

/// The tensors that belong to no layer.
pub(super) struct Globals<'w> {
    pub(super) token_embd: Matrix<'w>,
    pub(super) rope_freqs: Option<Matrix<'w>>,
    pub(super) output_norm: Matrix<'w>,
    /// The embedding, where it is tied.
    pub(super) output: Matrix<'w>,
}

/// Fills `layers` with those from `first` on, and finds what belongs to no layer.
pub(super) fn load_layers<'w, C>(
    checkpoint: &C,
    config: &Config,
    first: usize,
    layers: &mut [Layer<'w>],
) -> Result<Globals<'w>, Error>
where
    C: Checkpoint<'w> + ?Sized,
{
    layers.fill(Layer::EMPTY);
    let [mut token_embd, mut rope_freqs, mut output_norm, mut output] = [None; 4];
    checkpoint.visit(&mut |role, tensor| {
        let (rows, cols) = role.shape(config);
        let matrix = || tensor.shaped(role, rows, cols);
        match role {
            Role::TokenEmbd => token_embd = Some(matrix()?),
            Role::RopeFreqs => rope_freqs = Some(matrix()?),
            Role::OutputNorm => output_norm = Some(matrix()?),
            Role::Output if config.tie_word_embeddings => {}
            Role::Output => output = Some(matrix()?),
            Role::Layer(layer, role) if role.is_in(config) => {
                let place = layer.checked_sub(first).and_then(|index| layers.get_mut(index));
                if let Some(place) = place {
                    place.put(role, matrix()?, config);
                }
            }
            Role::Layer(..) => {}
        }
        Ok(())
    })?;
    for (layer, place) in (first..).zip(layers) {
        place.finish(checkpoint, config, layer)?;
    }
    let there = |found: Option<Matrix<'w>>, role| found.ok_or(Error::MissingTensor(role));
    let token_embd = there(token_embd, Role::TokenEmbd)?;
    Ok(Globals {
        token_embd,
        rope_freqs,
        output_norm: there(output_norm, Role::OutputNorm)?,
        output: match config.tie_word_embeddings {
            true => token_embd,
            false => there(output, Role::Output)?,
        },
    })
}

impl<'w> Layer<'w> {
    /// Puts one tensor of the layer in its place.
    fn put(&mut self, role: LayerRole, matrix: Matrix<'w>, config: &Config) {
        let norm = || RmsNorm::new(matrix, config.rms_norm_eps);
        let qk_norm = self.qk_norm.unwrap_or((RmsNorm::EMPTY, RmsNorm::EMPTY));
        match role {
            LayerRole::AttnNorm => self.attn_norm = norm(),
            LayerRole::AttnQ => self.q = matrix,
            LayerRole::AttnK => self.k = matrix,
            LayerRole::AttnV => self.v = matrix,
            LayerRole::AttnOutput => self.o = matrix,
            LayerRole::AttnQNorm => self.qk_norm = Some((norm(), qk_norm.1)),
            LayerRole::AttnKNorm => self.qk_norm = Some((qk_norm.0, norm())),
            LayerRole::FfnNorm => self.ffn_norm = norm(),
            LayerRole::FfnGate | LayerRole::FfnUp | LayerRole::FfnDown => {
                self.mlp.put(role, matrix);
            }
        }
    }

    /// Checks that every tensor came, and freezes the activation.
    fn finish<C>(&mut self, checkpoint: &C, config: &Config, layer: usize) -> Result<(), Error>
    where
        C: Checkpoint<'w> + ?Sized,
    {
        let (q_norm, k_norm) = self.qk_norm.unwrap_or((RmsNorm::EMPTY, RmsNorm::EMPTY));
        let came = [
            (LayerRole::AttnNorm, !self.attn_norm.is_empty()),
            (LayerRole::AttnQ, self.q.rows() > 0),
            (LayerRole::AttnK, self.k.rows() > 0),
            (LayerRole::AttnV, self.v.rows() > 0),
            (LayerRole::AttnOutput, self.o.rows() > 0),
            (LayerRole::AttnQNorm, !q_norm.is_empty()),
            (LayerRole::AttnKNorm, !k_norm.is_empty()),
            (LayerRole::FfnNorm, !self.ffn_norm.is_empty()),
        ];
        for (role, came) in came {
            if role.is_in(config) && !came {
                return Err(Error::MissingTensor(Role::Layer(layer, role)));
            }
        }
        self.mlp = self.mlp.finish(checkpoint, config, layer)?;
        Ok(())
    }
}
