//! A model's weights as views into its checkpoint.

use super::layer::Layer;
use super::load::{Globals, load_layers};
use super::norm::RmsNorm;
use crate::checkpoint::Checkpoint;
use crate::compute::packing::{Packer, packed_bytes};
use crate::kernels::{Kernels, Matrix};
use crate::{Config, Error};

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
    /// Takes every tensor in one walk and checks its shape; nothing is copied. `layers` holds
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
        let (needed, found) = (config.num_layers, layers.len());
        if needed != found {
            return Err(Error::Memory { what: "the array of layers", needed, found });
        }
        let Globals { token_embd, rope_freqs, output_norm, output } =
            load_layers(checkpoint, &config, 0, layers)?;
        let output_norm = RmsNorm::new(output_norm, config.rms_norm_eps);
        Ok(Model { config, token_embd, rope_freqs, layers, output_norm, output })
    }

    /// Checks what [`Model::load`] checks, without memory for the layers.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn check<C>(checkpoint: &C) -> Result<(), Error>
    where
        C: Checkpoint<'w> + ?Sized,
    {
        let config = checkpoint.config()?;
        config.validate()?;
        let mut layers = [Layer::EMPTY; 8];
        for first in (0..config.num_layers).step_by(layers.len()) {
            let count = config.num_layers.saturating_sub(first).min(layers.len());
            let layers = layers.get_mut(..count).unwrap_or_default();
            load_layers(checkpoint, &config, first, layers)?;
        }
        Ok(())
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

    /// What [`DecoderOptions::mlp_tile`](super::DecoderOptions::mlp_tile) is a multiple of, unless
    /// it holds the MLP whole.
    pub fn tile_multiple(&self) -> usize {
        // Each is 1 or a power of 2.
        self.layers.iter().map(|layer| layer.mlp.tile_multiple()).fold(1, usize::max)
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
