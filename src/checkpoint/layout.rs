//! Which tensors a configuration calls for, and their shapes.

use super::{LayerRole, Role};
use crate::Config;

impl LayerRole {
    /// Whether a model of this configuration has such a tensor.
    pub const fn is_in(self, config: &Config) -> bool {
        match self {
            LayerRole::AttnQNorm | LayerRole::AttnKNorm => config.qk_norm,
            LayerRole::FfnGate => config.hidden_act.is_gated(),
            _ => true,
        }
    }
}

impl Role {
    /// Every tensor that a model of this configuration needs; `RopeFreqs`, which is optional,
    /// is not among them.
    pub fn all(config: &Config) -> impl Iterator<Item = Role> + use<> {
        let config = *config;
        let output = (!config.tie_word_embeddings).then_some(Role::Output);
        let layers = (0..config.num_layers).flat_map(move |layer| {
            LayerRole::ALL
                .into_iter()
                .filter(move |role| role.is_in(&config))
                .map(move |role| Role::Layer(layer, role))
        });
        [Role::TokenEmbd].into_iter().chain(layers).chain([Role::OutputNorm]).chain(output)
    }

    /// Rows and columns of the tensor; a vector is one row.
    pub const fn shape(self, config: &Config) -> (usize, usize) {
        let (hidden, ffn) = (config.hidden_size, config.intermediate_size);
        match self {
            Role::TokenEmbd => (config.vocab_size, hidden),
            Role::Output => (config.output_vocab_size, hidden),
            Role::OutputNorm => (1, hidden),
            Role::RopeFreqs => (1, config.head_dim / 2),
            Role::Layer(_, role) => match role {
                LayerRole::AttnNorm | LayerRole::FfnNorm => (1, hidden),
                LayerRole::AttnQNorm | LayerRole::AttnKNorm => (1, config.head_dim),
                LayerRole::AttnQ => (config.q_size(), hidden),
                LayerRole::AttnK | LayerRole::AttnV => (config.kv_size(), hidden),
                LayerRole::AttnOutput => (hidden, config.q_size()),
                LayerRole::FfnGate | LayerRole::FfnUp => (ffn, hidden),
                LayerRole::FfnDown => (hidden, ffn),
            },
        }
    }

    /// Whether the tensor has one dimension.
    pub const fn is_vector(self) -> bool {
        use LayerRole::{AttnKNorm, AttnNorm, AttnQNorm, FfnNorm};
        matches!(
            self,
            Role::OutputNorm
                | Role::RopeFreqs
                | Role::Layer(_, AttnNorm | FfnNorm | AttnQNorm | AttnKNorm)
        )
    }
}
