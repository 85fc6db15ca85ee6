//! A model's weights as views into its checkpoint.

use super::norm::RmsNorm;
use crate::checkpoint::{Checkpoint, LayerRole, Role, matrix, optional_matrix};
use crate::kernels::{Kernels, Matrix};
use crate::packing::{Packer, packed_bytes};
use crate::{Config, Error, Mlp};

/// The weights of one layer: a handful of views, `Copy`.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'w> {
    pub(crate) attn_norm: RmsNorm<'w>,
    pub(crate) q: Matrix<'w>,
    pub(crate) k: Matrix<'w>,
    pub(crate) v: Matrix<'w>,
    pub(crate) o: Matrix<'w>,
    /// Norms of each query and key head, before RoPE.
    pub(crate) qk_norm: Option<(RmsNorm<'w>, RmsNorm<'w>)>,
    pub(crate) ffn_norm: RmsNorm<'w>,
    pub(crate) mlp: Mlp<'w>,
}

impl<'w> Layer<'w> {
    /// No weights, to fill the caller's array with before [`Model::load`].
    pub const EMPTY: Layer<'static> = Layer {
        attn_norm: RmsNorm::EMPTY,
        q: Matrix::EMPTY,
        k: Matrix::EMPTY,
        v: Matrix::EMPTY,
        o: Matrix::EMPTY,
        qk_norm: None,
        ffn_norm: RmsNorm::EMPTY,
        mlp: Mlp::EMPTY,
    };

    /// The layer's MLP, usable alone.
    pub const fn mlp(&self) -> &Mlp<'w> {
        &self.mlp
    }

    /// The matrices, without norms.
    fn matrices(&self) -> impl Iterator<Item = &Matrix<'w>> {
        [&self.q, &self.k, &self.v, &self.o].into_iter().chain(self.mlp.matrices())
    }

    fn pack_with(&self, packer: &mut Packer<'_, 'w>) -> Result<Self, Error> {
        Ok(Layer {
            q: packer.pack(&self.q)?,
            k: packer.pack(&self.k)?,
            v: packer.pack(&self.v)?,
            o: packer.pack(&self.o)?,
            mlp: self.mlp.pack_with(packer)?,
            ..*self
        })
    }

    fn load<C>(checkpoint: &C, config: &Config, layer: usize) -> Result<Self, Error>
    where
        C: Checkpoint<'w> + ?Sized,
    {
        let (hidden, q_size, kv_size) = (config.hidden_size, config.q_size(), config.kv_size());
        let get = |role, rows, cols| matrix(checkpoint, Role::Layer(layer, role), rows, cols);
        let norm = |role, width| -> Result<_, Error> {
            Ok(RmsNorm::new(get(role, 1, width)?, config.rms_norm_eps))
        };
        let qk_norm = if config.qk_norm {
            let q_norm = norm(LayerRole::AttnQNorm, config.head_dim)?;
            Some((q_norm, norm(LayerRole::AttnKNorm, config.head_dim)?))
        } else {
            None
        };
        let (q, k) =
            (get(LayerRole::AttnQ, q_size, hidden)?, get(LayerRole::AttnK, kv_size, hidden)?);
        let v = get(LayerRole::AttnV, kv_size, hidden)?;
        Ok(Layer {
            attn_norm: norm(LayerRole::AttnNorm, hidden)?,
            q,
            k,
            v,
            o: get(LayerRole::AttnOutput, hidden, q_size)?,
            qk_norm,
            ffn_norm: norm(LayerRole::FfnNorm, hidden)?,
            mlp: Mlp::load(checkpoint, config, layer)?,
        })
    }
}

/// A whole model: its shape and its weights, all borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Model<'m, 'w> {
    pub(crate) config: Config,
    pub(crate) token_embd: Matrix<'w>,
    pub(crate) rope_freqs: Option<Matrix<'w>>,
    pub(crate) layers: &'m [Layer<'w>],
    pub(crate) output_norm: RmsNorm<'w>,
    pub(crate) output: Matrix<'w>,
}

impl<'m, 'w> Model<'m, 'w> {
    /// Finds every tensor and checks its shape; nothing is copied. `layers` holds
    /// `config.num_layers` elements ([`Layer::EMPTY`] will do) and is filled.
    ///
    /// # Errors
    /// If a tensor is missing or has the wrong shape or type, or `layers` another length.
    pub fn load<C>(checkpoint: &C, layers: &'m mut [Layer<'w>]) -> Result<Self, Error>
    where
        C: Checkpoint<'w> + ?Sized,
    {
        let config = checkpoint.config()?;
        config.validate()?;
        if layers.len() != config.num_layers {
            return Err(Error::Memory {
                what: "the array of layers",
                needed: config.num_layers,
                found: layers.len(),
            });
        }
        for (i, layer) in layers.iter_mut().enumerate() {
            *layer = Layer::load(checkpoint, &config, i)?;
        }
        let hidden = config.hidden_size;
        let token_embd = matrix(checkpoint, Role::TokenEmbd, config.vocab_size, hidden)?;
        let output_norm = matrix(checkpoint, Role::OutputNorm, 1, hidden)?;
        Ok(Model {
            config,
            token_embd,
            rope_freqs: optional_matrix(checkpoint, Role::RopeFreqs, 1, config.head_dim / 2)?,
            layers,
            output_norm: RmsNorm::new(output_norm, config.rms_norm_eps),
            output: match config.tie_word_embeddings {
                true => token_embd,
                false => matrix(checkpoint, Role::Output, config.output_vocab_size, hidden)?,
            },
        })
    }

    /// Bytes that [`Model::pack`] takes: those of the weights that `kernels` can pack.
    pub fn packed_bytes(&self, kernels: &Kernels) -> usize {
        packed_bytes(kernels, self.layers.iter().flat_map(Layer::matrices).chain([&self.output]))
    }

    /// The same model with the weights of its layers and its output copied to `memory` in the
    /// order of [`Kernels::pack`]; those that cannot be packed stay where they are. `layers` is as
    /// for [`Model::load`].
    ///
    /// # Errors
    /// If `memory` is smaller than [`Model::packed_bytes`] or `layers` has another length than the
    /// model's.
    pub fn pack<'n>(
        &self,
        kernels: &Kernels,
        layers: &'n mut [Layer<'w>],
        memory: &'w mut [u8],
    ) -> Result<Model<'n, 'w>, Error> {
        let (needed, found) = (self.layers.len(), layers.len());
        if needed != found {
            return Err(Error::Memory { what: "the array of layers", needed, found });
        }
        let mut packer = Packer::new(kernels, memory, self.packed_bytes(kernels))?;
        for (packed, layer) in layers.iter_mut().zip(self.layers) {
            *packed = layer.pack_with(&mut packer)?;
        }
        let output = packer.pack(&self.output)?;
        Ok(Model { layers, output, ..*self })
    }

    /// The model's shape.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The layers, first to last.
    pub const fn layers(&self) -> &'m [Layer<'w>] {
        self.layers
    }
}
