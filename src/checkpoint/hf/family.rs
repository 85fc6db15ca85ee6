//! Model families, and the defaults of transformers' classes.

use super::HfError;
use super::keys::{Keys, unsupported};

/// What `model_type` may say.
const MODEL_TYPES: &str = "apertus, apertus1p5, llama, qwen3";

/// Model families whose Hugging Face names and layouts are known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Apertus,
    /// The language model of Apertus 1.5.
    Apertus15,
    Llama,
    /// Llama with QK-norm.
    Qwen3,
    /// What training exports where transformers has no class for the activation.
    XieluLlama,
}

/// What a class has where the file says nothing.
pub(super) struct Defaults {
    pub(super) vocab_size: usize,
    pub(super) intermediate_size: usize,
    pub(super) num_kv_heads: Option<usize>,
    pub(super) head_dim: Option<usize>,
    pub(super) context_length: usize,
    pub(super) rms_norm_eps: f64,
    pub(super) theta: f64,
    pub(super) hidden_act: &'static str,
}

impl Family {
    pub(super) fn of(json: Keys<'_>) -> Result<Self, HfError> {
        if !json.has("model_type") {
            return Err(HfError::MissingKey("model_type"));
        }
        match json.text("model_type", "")? {
            "apertus" | "apertus_text" => Ok(Family::Apertus),
            "apertus1p5" | "apertus1p5_text" => Ok(Family::Apertus15),
            "llama" => Ok(Family::Llama),
            "qwen3" => Ok(Family::Qwen3),
            "xielu_llama" => Ok(Family::XieluLlama),
            other => Err(unsupported("model_type", other.into(), MODEL_TYPES)),
        }
    }

    pub(super) const fn is_apertus(self) -> bool {
        matches!(self, Family::Apertus | Family::Apertus15)
    }

    /// Base of RoPE's wavelengths.
    pub(super) const fn theta(self) -> f64 {
        self.defaults().theta
    }

    /// Those of the classes of transformers 5.
    pub(super) const fn defaults(self) -> Defaults {
        let llama = Defaults {
            vocab_size: 32_000,
            intermediate_size: 11_008,
            num_kv_heads: None,
            head_dim: None,
            context_length: 2048,
            rms_norm_eps: 1e-6,
            theta: 1e4,
            hidden_act: "silu",
        };
        match self {
            Family::Llama | Family::XieluLlama => llama,
            Family::Qwen3 => Defaults {
                vocab_size: 151_936,
                intermediate_size: 22_016,
                num_kv_heads: Some(32),
                head_dim: Some(128),
                context_length: 32_768,
                ..llama
            },
            Family::Apertus | Family::Apertus15 => Defaults {
                vocab_size: if matches!(self, Family::Apertus) { 131_072 } else { 266_752 },
                intermediate_size: 14_336,
                context_length: 65_536,
                rms_norm_eps: 1e-5,
                theta: 12e6,
                hidden_act: "xielu",
                ..llama
            },
        }
    }
}
