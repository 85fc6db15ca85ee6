//! Where the weights of a model lie.

use super::layer::StreamedLayer;
use super::mlp;
use super::view::View;
use crate::checkpoint::gguf::GgufHead;
use crate::checkpoint::{Checkpoint as _, LayerRole, Role};
use crate::kernels::{ActivationKind, built};
use crate::llama::{DecoderOptions, pass};
use crate::mlp::load::activation;
use crate::{Config, Error};

/// The shape of a model, and where its weights lie in a source.
#[derive(Clone, Copy, Debug)]
pub struct StreamedModel<'m> {
    pub(super) config: Config,
    pub(super) token_embd: View,
    /// Empty where there is none.
    pub(super) rope_freqs: View,
    pub(super) layers: &'m [StreamedLayer],
    pub(super) output_norm: View,
    pub(super) output: View,
}

impl<'m> StreamedModel<'m> {
    /// Finds every tensor and checks its shape and type. `layers` holds `config.num_layers` elements
    /// ([`StreamedLayer::EMPTY`] will do) and is filled.
    ///
    /// # Errors
    /// As [`Model::load`](crate::llama::Model::load).
    pub fn load(head: &GgufHead<'_>, layers: &'m mut [StreamedLayer]) -> Result<Self, Error> {
        let config = head.gguf().config()?;
        config.validate()?;
        let (needed, found) = (config.num_layers, layers.len());
        if needed != found {
            return Err(Error::Memory { what: "the array of layers", needed, found });
        }
        layers.fill(StreamedLayer::EMPTY);
        let [mut token_embd, mut rope_freqs, mut output_norm, mut output] = [View::EMPTY; 4];
        for info in head.gguf().tensors() {
            let Some(role) = Role::from_gguf_name(info.name) else { continue };
            let place = match role {
                Role::TokenEmbd => &mut token_embd,
                Role::RopeFreqs => &mut rope_freqs,
                Role::OutputNorm => &mut output_norm,
                Role::Output if !config.tie_word_embeddings => &mut output,
                Role::Layer(layer, role) if role.is_in(&config) => match layers.get_mut(layer) {
                    Some(layer) => layer.place(role),
                    None => continue,
                },
                Role::Output | Role::Layer(..) => continue,
            };
            *place = View::of(head, role, &info, &config)?;
        }
        if config.tie_word_embeddings {
            output = token_embd;
        }
        let globals = [
            (Role::TokenEmbd, &token_embd),
            (Role::OutputNorm, &output_norm),
            (Role::Output, &output),
        ];
        for (role, view) in globals {
            if view.is_empty() {
                return Err(Error::MissingTensor(role));
            }
        }
        for (index, layer) in layers.iter_mut().enumerate() {
            finish(head, &config, index, layer)?;
        }
        Ok(StreamedModel { config, token_embd, rope_freqs, layers, output_norm, output })
    }

    /// f32 elements of scratch a decoder of a valid config takes that decodes at most `batch` tokens
    /// together; `quantized` says whether the MLP's down projections are of a quantized type (`false`
    /// is enough for all).
    pub const fn scratch_len(config: &Config, batch: usize, quantized: bool) -> usize {
        pass::scratch_len(config, &options(batch)).saturating_add(mlp::scratch_len(
            config.intermediate_size,
            batch,
            quantized,
        ))
    }

    /// The model's shape.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    fn views(&self) -> impl Iterator<Item = View> {
        let layers = self.layers.iter().flat_map(|layer| {
            let mut layer = *layer;
            LayerRole::ALL.into_iter().map(move |role| *layer.place(role))
        });
        layers.chain([self.output_norm, self.output])
    }

    /// Bytes of the longest row of weights: what each of a decoder's two buffers must hold, and twice
    /// the source's unit but one more where that is not 1.
    pub fn longest_row(&self) -> usize {
        let views = self.views().chain([self.token_embd, self.rope_freqs]);
        views.map(|view| view.row_bytes()).max().unwrap_or(0)
    }

    /// Bytes that a token reads, its logits with it, if it is decoded alone. Units of a source that
    /// a tile cuts come on top.
    pub fn bytes_per_token(&self) -> u64 {
        let embedding = self.token_embd.row_bytes() as u64;
        self.views().map(|view| view.bytes()).fold(embedding, u64::saturating_add)
    }
}

/// Of the scratch that other passes share; the MLP has its own.
pub(super) const fn options(batch: usize) -> DecoderOptions {
    DecoderOptions { batch, mlp_tile: 0 }
}

/// Checks that every tensor of a layer came, and freezes its activation.
fn finish(
    head: &GgufHead<'_>,
    config: &Config,
    index: usize,
    layer: &mut StreamedLayer,
) -> Result<(), Error> {
    for role in LayerRole::ALL.into_iter().filter(|role| role.is_in(config)) {
        if layer.place(role).is_empty() {
            return Err(Error::MissingTensor(Role::Layer(index, role)));
        }
    }
    let act = config.hidden_act;
    if !act.is_built() || act == ActivationKind::Swiglu && !built::SWIGLU {
        return Err(Error::NotBuilt(act));
    }
    layer.mlp.act = activation(head.gguf(), config, index)?;
    Ok(())
}
