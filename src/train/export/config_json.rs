//! `config.json` of a trained model.

use std::string::{String, ToString};

use candle_core::DType;
use serde_json::{Map, Value, json};

use crate::Config;
use crate::config::RopeScaling;
use crate::kernels::ActivationKind;
use crate::train::data::TextTokenizer;

/// The model classes of transformers that a trained model can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// xIELU or ReLU² with QK-norm. llama.cpp reads it with xIELU.
    Apertus,
    /// SwiGLU without QK-norm. llama.cpp reads it.
    Llama,
    /// SwiGLU with QK-norm.
    Qwen3,
    /// Anything else. Only this library reads it; transformers refuses its `model_type`.
    XieluLlama,
}

impl Family {
    /// What a model of this shape is.
    pub fn of(config: &Config) -> Self {
        match (config.hidden_act, config.qk_norm) {
            (ActivationKind::Xielu | ActivationKind::Relu2, true) => Family::Apertus,
            (ActivationKind::Swiglu, false) => Family::Llama,
            (ActivationKind::Swiglu, true) => Family::Qwen3,
            _ => Family::XieluLlama,
        }
    }

    /// `model_type`, and the class in `architectures`.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Family::Apertus => ("apertus", "ApertusForCausalLM"),
            Family::Llama => ("llama", "LlamaForCausalLM"),
            Family::Qwen3 => ("qwen3", "Qwen3ForCausalLM"),
            Family::XieluLlama => ("xielu_llama", "XieluLlamaForCausalLM"),
        }
    }
}

/// The whole file.
pub(super) fn of(config: &Config, tokenizer: &TextTokenizer, dtype: DType) -> Value {
    let (model_type, class) = Family::of(config).names();
    let mut json = json!({
        "architectures": [class],
        "model_type": model_type,
        "attention_bias": false,
        "attention_dropout": 0.0,
        "dtype": if dtype == DType::BF16 { "bfloat16" } else { "float32" },
        "head_dim": config.head_dim,
        "hidden_act": hidden_act(config.hidden_act),
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "max_position_embeddings": config.context_length,
        "mlp_bias": false,
        "num_attention_heads": config.num_heads,
        "num_hidden_layers": config.num_layers,
        "num_key_value_heads": config.num_kv_heads,
        "rms_norm_eps": decimal(config.rms_norm_eps),
        "rope_parameters": rope(config),
        "tie_word_embeddings": config.tie_word_embeddings,
        "use_cache": true,
        "vocab_size": config.vocab_size,
    });
    if let Some(map) = json.as_object_mut() {
        map.extend(special_ids(tokenizer));
    }
    json
}

/// The ids of the special tokens; `null` where there is none.
pub(super) fn special_ids(tokenizer: &TextTokenizer) -> Map<String, Value> {
    let bos = tokenizer.bos().or_else(|| tokenizer.setting_id("bos_token"));
    let ids = [
        ("bos_token_id", bos),
        ("eos_token_id", tokenizer.eos()),
        ("pad_token_id", tokenizer.setting_id("pad_token")),
    ];
    ids.into_iter().map(|(key, id)| (key.into(), json!(id))).collect()
}

/// What transformers calls it; of the last two nothing can be trained.
const fn hidden_act(act: ActivationKind) -> &'static str {
    match act {
        ActivationKind::Xielu => "xielu",
        ActivationKind::Xiprelu => "xiprelu",
        ActivationKind::Relu2 => "relu2",
        ActivationKind::Swiglu | ActivationKind::Silu => "silu",
        ActivationKind::Elu => "elu",
        _ => "xsilu",
    }
}

fn rope(config: &Config) -> Value {
    let theta = decimal(config.rope.theta);
    match config.rope.scaling {
        RopeScaling::None => json!({ "rope_type": "default", "rope_theta": theta }),
        RopeScaling::Linear { factor } => json!({
            "rope_type": "linear",
            "rope_theta": theta,
            "factor": decimal(factor),
        }),
        RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_context } => {
            json!({
                "rope_type": "llama3",
                "rope_theta": theta,
                "factor": decimal(factor),
                "low_freq_factor": decimal(low_freq_factor),
                "high_freq_factor": decimal(high_freq_factor),
                "original_max_position_embeddings": original_context,
            })
        }
    }
}

/// The shortest decimal that is this f32, as f64: 1e-5 and not 9.999999747378752e-6.
fn decimal(x: f32) -> f64 {
    x.to_string().parse().unwrap_or_else(|_| x.into())
}
