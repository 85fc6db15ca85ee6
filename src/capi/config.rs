//! The shape of a model as C sees it: what sizes depend on.

use super::Status;
use super::activation::{kind, number};
use crate::Config;
use crate::config::{Rope, RopeScaling, RopeStyle};
use crate::kernels::ActivationKind;

/// The shape of a model: read from a file, or filled in to know sizes before there is one.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct xielu_config {
    /// Tokens of the vocabulary.
    pub vocab_size: usize,
    /// Logits of a token, at most vocab_size. 0, to fill in, is as many.
    pub output_vocab_size: usize,
    /// Width of the residual stream: inputs and outputs of an MLP.
    pub hidden_size: usize,
    /// Width of the MLP's hidden vector.
    pub intermediate_size: usize,
    /// Number of layers.
    pub num_layers: usize,
    /// Query heads.
    pub num_heads: usize,
    /// Key and value heads; divides num_heads.
    pub num_kv_heads: usize,
    /// Width of one head; even.
    pub head_dim: usize,
    /// Longest context the model was trained for.
    pub context_length: usize,
    /// One of XIELU_ACTIVATION_XIELU, _XIPRELU, _RELU2 and _SWIGLU.
    pub activation: u32,
}

impl From<Config> for xielu_config {
    fn from(c: Config) -> Self {
        xielu_config {
            vocab_size: c.vocab_size,
            output_vocab_size: c.output_vocab_size,
            hidden_size: c.hidden_size,
            intermediate_size: c.intermediate_size,
            num_layers: c.num_layers,
            num_heads: c.num_heads,
            num_kv_heads: c.num_kv_heads,
            head_dim: c.head_dim,
            context_length: c.context_length,
            activation: number(c.hidden_act),
        }
    }
}

impl xielu_config {
    /// A configuration of this shape. What sizes do not depend on has some valid value.
    pub(super) fn checked(self) -> Result<Config, Status> {
        let config = Config {
            vocab_size: self.vocab_size,
            output_vocab_size: match self.output_vocab_size {
                0 => self.vocab_size,
                logits => logits,
            },
            hidden_size: self.hidden_size,
            intermediate_size: self.intermediate_size,
            num_layers: self.num_layers,
            num_heads: self.num_heads,
            num_kv_heads: self.num_kv_heads,
            head_dim: self.head_dim,
            context_length: self.context_length,
            rms_norm_eps: 0.0,
            rope: Rope { theta: 1.0, style: RopeStyle::Neox, scaling: RopeScaling::None },
            hidden_act: match kind(self.activation) {
                None | Some(ActivationKind::Silu) => return Err(Status::Config),
                Some(act) => act,
            },
            qk_norm: false,
            tie_word_embeddings: false,
        };
        config.validate()?;
        Ok(config)
    }
}
