//! `config.json` to [`Config`].

use std::boxed::Box;
use std::format;
use std::string::{String, ToString};

use serde::Deserialize;

use super::HfError;
use crate::config::{Config, HiddenAct, Rope, RopeScaling, RopeStyle};

/// The keys of `config.json` that matter, as `transformers` writes them.
#[derive(Deserialize)]
pub(super) struct ConfigJson {
    model_type: Option<String>,
    /// The language model's own configuration where the model has other parts too.
    text_config: Option<Box<ConfigJson>>,
    vocab_size: Option<usize>,
    output_vocab_size: Option<usize>,
    hidden_size: Option<usize>,
    intermediate_size: Option<usize>,
    num_hidden_layers: Option<usize>,
    num_attention_heads: Option<usize>,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    max_position_embeddings: Option<usize>,
    rms_norm_eps: Option<f64>,
    hidden_act: Option<String>,
    rope_parameters: Option<RopeJson>,
    rope_scaling: Option<RopeJson>,
    rope_theta: Option<f64>,
    partial_rotary_factor: Option<f64>,
    tie_word_embeddings: Option<bool>,
    attention_bias: Option<bool>,
    mlp_bias: Option<bool>,
    pub(super) bos_token_id: Option<TokenIds>,
    pub(super) eos_token_id: Option<TokenIds>,
    pub(super) pad_token_id: Option<TokenIds>,
}

/// One token id or several.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum TokenIds {
    One(u32),
    Many(std::vec::Vec<u32>),
}

impl TokenIds {
    /// The first id.
    pub(super) fn first(&self) -> Option<u32> {
        match self {
            TokenIds::One(id) => Some(*id),
            TokenIds::Many(ids) => ids.first().copied(),
        }
    }
}

/// `rope_parameters`, or `rope_scaling` of older files.
#[derive(Deserialize)]
struct RopeJson {
    #[serde(alias = "type")]
    rope_type: Option<String>,
    rope_theta: Option<f64>,
    factor: Option<f64>,
    low_freq_factor: Option<f64>,
    high_freq_factor: Option<f64>,
    original_max_position_embeddings: Option<u32>,
    partial_rotary_factor: Option<f64>,
}

/// Model families whose Hugging Face names and layouts are known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Apertus,
    Llama,
}

impl ConfigJson {
    /// The part that describes the language model.
    pub(super) fn text(&self) -> &ConfigJson {
        self.text_config.as_deref().unwrap_or(self)
    }

    /// The decoder's shape. `qk_norm` is what the tensors say; `config.json` does not.
    pub(super) fn config(&self, qk_norm: bool) -> Result<Config, HfError> {
        let family = self.family()?;
        self.refuse_biases()?;
        let hidden_size = required("hidden_size", self.hidden_size)?;
        let num_heads = required("num_attention_heads", self.num_attention_heads)?;
        let head_dim = match self.head_dim {
            Some(dim) => dim,
            None if num_heads > 0 && hidden_size.is_multiple_of(num_heads) => {
                hidden_size / num_heads
            }
            None => return Err(HfError::MissingKey("head_dim")),
        };
        let rms_norm_eps = match (self.rms_norm_eps, family) {
            (Some(eps), _) => eps,
            (None, Family::Llama) => 1e-6,
            (None, Family::Apertus) => 1e-5,
        };
        let config = Config {
            vocab_size: required("vocab_size", self.vocab_size)?,
            output_vocab_size: self.output_vocab_size.or(self.vocab_size).unwrap_or(0),
            hidden_size,
            intermediate_size: required("intermediate_size", self.intermediate_size)?,
            num_layers: required("num_hidden_layers", self.num_hidden_layers)?,
            num_heads,
            num_kv_heads: self.num_key_value_heads.unwrap_or(num_heads),
            head_dim,
            context_length: required("max_position_embeddings", self.max_position_embeddings)?,
            rms_norm_eps: rms_norm_eps as f32,
            rope: self.rope(family)?,
            hidden_act: self.hidden_act(family)?,
            qk_norm: qk_norm || family == Family::Apertus,
            tie_word_embeddings: self.tie_word_embeddings.unwrap_or(false),
        };
        config.validate().map_err(HfError::Config)?;
        Ok(config)
    }

    fn family(&self) -> Result<Family, HfError> {
        match self.model_type.as_deref() {
            Some("apertus" | "apertus_text") => Ok(Family::Apertus),
            // Qwen3 is Llama with QK-norm; xielu_llama is what training exports where transformers
            // has no class for the activation.
            Some("llama" | "qwen3" | "xielu_llama") => Ok(Family::Llama),
            None => Err(HfError::MissingKey("model_type")),
            Some(other) => Err(unsupported("model_type", other, "apertus, llama, qwen3")),
        }
    }

    fn refuse_biases(&self) -> Result<(), HfError> {
        for (key, value) in [("attention_bias", self.attention_bias), ("mlp_bias", self.mlp_bias)] {
            if value == Some(true) {
                return Err(unsupported(key, "true", "false"));
            }
        }
        Ok(())
    }

    fn hidden_act(&self, family: Family) -> Result<HiddenAct, HfError> {
        let name = match (self.hidden_act.as_deref(), family) {
            (Some(name), _) => name,
            (None, Family::Apertus) => "xielu",
            (None, Family::Llama) => "silu",
        };
        match (name, family) {
            ("xielu", _) => Ok(HiddenAct::Xielu),
            ("xiprelu", _) => Ok(HiddenAct::Xiprelu),
            ("relu2" | "relu_squared", _) => Ok(HiddenAct::Relu2),
            ("silu" | "swish", Family::Llama) => Ok(HiddenAct::Swiglu),
            (_, Family::Llama) => {
                Err(unsupported("hidden_act", name, "xielu, xiprelu, relu2, silu"))
            }
            // Apertus has no gate_proj, and an ungated SiLU is not in the family.
            (_, Family::Apertus) => Err(unsupported("hidden_act", name, "xielu, xiprelu, relu2")),
        }
    }

    fn rope(&self, family: Family) -> Result<Rope, HfError> {
        let params = self.rope_parameters.as_ref().or(self.rope_scaling.as_ref());
        let theta = match (params.and_then(|p| p.rope_theta).or(self.rope_theta), family) {
            (Some(theta), _) => theta,
            (None, Family::Llama) => 10_000.0,
            (None, Family::Apertus) => return Err(HfError::MissingKey("rope_theta")),
        };
        let partial = params.and_then(|p| p.partial_rotary_factor).or(self.partial_rotary_factor);
        if let Some(factor) = partial.filter(|&factor| factor != 1.0) {
            return Err(unsupported("partial_rotary_factor", &factor.to_string(), "1.0"));
        }
        let scaling = params.map_or(Ok(RopeScaling::None), RopeJson::scaling)?;
        Ok(Rope { theta: theta as f32, style: RopeStyle::Neox, scaling })
    }
}

impl RopeJson {
    fn scaling(&self) -> Result<RopeScaling, HfError> {
        let positive = |key, value: Option<f64>| {
            let value = required(key, value)?;
            if value > 0.0 && value < f64::from(f32::MAX) {
                Ok(value as f32)
            } else {
                Err(unsupported(key, &value.to_string(), "positive numbers"))
            }
        };
        match self.rope_type.as_deref().unwrap_or("default") {
            "default" => Ok(RopeScaling::None),
            "linear" => Ok(RopeScaling::Linear { factor: positive("factor", self.factor)? }),
            "llama3" => {
                let low = positive("low_freq_factor", self.low_freq_factor)?;
                let high = positive("high_freq_factor", self.high_freq_factor)?;
                if low >= high {
                    let value = format!("{high}, low_freq_factor {low}");
                    return Err(unsupported("high_freq_factor", &value, "high above low"));
                }
                Ok(RopeScaling::Llama3 {
                    factor: positive("factor", self.factor)?,
                    low_freq_factor: low,
                    high_freq_factor: high,
                    original_context: required(
                        "original_max_position_embeddings",
                        self.original_max_position_embeddings.filter(|&n| n > 0),
                    )?,
                })
            }
            other => Err(unsupported("rope_type", other, "default, linear, llama3")),
        }
    }
}

fn required<T>(key: &'static str, value: Option<T>) -> Result<T, HfError> {
    value.ok_or(HfError::MissingKey(key))
}

fn unsupported(key: &'static str, value: &str, accepted: &'static str) -> HfError {
    HfError::Unsupported { key, value: value.into(), accepted }
}
