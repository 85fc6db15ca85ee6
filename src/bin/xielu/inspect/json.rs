//! What `inspect` shows, as JSON. Names are those of transformers' config.json, where it has one.

use serde_json::{Map, Value, json};
use xielu::checkpoint::{ModelFile, ModelView, Sampling};
use xielu::config::RopeScaling;
use xielu::session::recommended_sampling;
use xielu::{Config, Error};

use super::alphas::LayerAlphas;
use super::tensors;

/// One object for the whole model.
pub fn whole(
    file: &ModelFile,
    view: &ModelView<'_>,
    config: &Result<Config, Error>,
    layers: &[LayerAlphas],
    with_tensors: bool,
) -> anyhow::Result<Value> {
    let mut all = Map::new();
    all.insert("model".into(), json!(file.path().to_string_lossy()));
    all.insert("format".into(), format(view));
    // What cannot be read is null, and said.
    let mut problems = Vec::new();
    let mut put = |key: &str, value: Result<Value, String>| {
        let value = value.unwrap_or_else(|problem| {
            problems.push(problem);
            Value::Null
        });
        all.insert(key.into(), value);
    };
    put("config", config.as_ref().map(shape).map_err(Error::to_string));
    let names = xielu::chat::templates(view)
        .map(|all| all.into_iter().map(|(name, _)| Value::from(name)).collect());
    put("chat_templates", names.map_err(|e| e.to_string()));
    put("sampling", recommended_sampling(view).map(|s| sampling(&s)).map_err(|e| e.to_string()));
    all.insert("problems".into(), json!(problems));
    let tensors = tensors::list(view)?;
    let bytes: u64 = tensors.iter().filter_map(|t| t.bytes).sum();
    let values: u64 = tensors.iter().map(|t| t.shape.iter().product::<u64>()).sum();
    all.insert("values".into(), json!(values));
    all.insert("bytes".into(), json!(bytes));
    if with_tensors {
        let tensors = tensors
            .iter()
            .map(|t| json!({"name": t.name, "type": t.kind, "shape": t.shape, "bytes": t.bytes}));
        all.insert("tensors".into(), tensors.collect());
    }
    if !layers.is_empty() {
        let layers = layers.iter().map(|layer| {
            let raw = layer.raw();
            json!({
                "stored_alpha_p": number(raw.alpha_p),
                "stored_alpha_n": number(raw.alpha_n),
                "alpha_p": number(layer.alpha_p),
                "alpha_n": number(layer.alpha_n),
                "beta": number(raw.beta),
                "eps": number(raw.eps),
            })
        });
        all.insert("activations".into(), layers.collect());
    }
    Ok(all.into())
}

fn format(view: &ModelView<'_>) -> Value {
    match view {
        ModelView::Gguf(model) => json!({
            "name": "gguf",
            "version": model.first().version(),
            "architecture": model.first().get_str("general.architecture"),
            "parts": model.split().parts().len(),
        }),
        ModelView::Hf(_) => json!({"name": "hf"}),
    }
}

fn shape(c: &Config) -> Value {
    json!({
        "hidden_act": format!("{:?}", c.hidden_act).to_lowercase(),
        "num_hidden_layers": c.num_layers,
        "hidden_size": c.hidden_size,
        "intermediate_size": c.intermediate_size,
        "num_attention_heads": c.num_heads,
        "num_key_value_heads": c.num_kv_heads,
        "head_dim": c.head_dim,
        "vocab_size": c.vocab_size,
        "output_vocab_size": c.output_vocab_size,
        "max_position_embeddings": c.context_length,
        "rms_norm_eps": number(c.rms_norm_eps),
        "rope_theta": number(c.rope.theta),
        "rope_scaling": scaling(&c.rope.scaling),
        "qk_norm": c.qk_norm,
        "tie_word_embeddings": c.tie_word_embeddings,
    })
}

fn scaling(scaling: &RopeScaling) -> Value {
    match *scaling {
        RopeScaling::None => Value::Null,
        RopeScaling::Linear { factor } => json!({"rope_type": "linear", "factor": number(factor)}),
        RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_context } => {
            json!({
                "rope_type": "llama3",
                "factor": number(factor),
                "low_freq_factor": number(low_freq_factor),
                "high_freq_factor": number(high_freq_factor),
                "original_max_position_embeddings": original_context,
            })
        }
        _ => json!({"rope_type": "other"}),
    }
}

/// What the files recommend, and nothing else.
fn sampling(s: &Sampling) -> Value {
    let values = [
        ("temperature", s.temperature.map(number)),
        ("top_k", s.top_k.map(Value::from)),
        ("top_p", s.top_p.map(number)),
        ("min_p", s.min_p.map(number)),
        ("typical_p", s.typical_p.map(number)),
        ("repetition_penalty", s.repetition_penalty.map(number)),
        ("penalty_last_n", s.penalty_last_n.map(Value::from)),
    ];
    let known = values.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Value::Object(known.collect())
}

/// The shortest number that is read as this f32; null for what JSON has no number for.
fn number(value: f32) -> Value {
    value.to_string().parse::<f64>().map_or(Value::Null, Value::from)
}
