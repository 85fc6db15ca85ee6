//! The metadata of a converted Hugging Face model, with the keys llama.cpp's converter writes.

use std::format;
use std::io;
use std::string::String;
use std::vec::Vec;

use crate::RawXielu;
use crate::checkpoint::gguf::{GgufWriter, Value};
use crate::checkpoint::hf::{ChatTemplate, Vocabulary};
use crate::checkpoint::{SAMPLING_KEYS, Sampling, stop_tokens};
use crate::config::{Config, RopeScaling};
use crate::kernels::ActivationKind;
use crate::names::Architecture;

/// The GGUF architecture a Hugging Face model becomes: one of llama.cpp's where that computes the
/// same.
pub(super) fn architecture(config: &Config) -> Architecture {
    match (config.hidden_act, config.qk_norm) {
        (ActivationKind::Xielu, true) => Architecture::Apertus,
        (ActivationKind::Swiglu, false) => Architecture::Llama,
        _ => Architecture::XieluLlama,
    }
}

/// Writes the keys of a model, all but the vocabulary's.
pub(super) fn write_model(
    writer: &mut GgufWriter,
    config: &Config,
    alphas: &[RawXielu],
    name: &str,
    parameters: u64,
    file_type: u32,
) -> io::Result<()> {
    let architecture = architecture(config);
    writer.pair("general.architecture", Value::Str(architecture.name()))?;
    writer.pair("general.type", Value::Str("model"))?;
    writer.pair("general.name", Value::Str(name))?;
    writer.pair("general.size_label", Value::Str(&size_label(parameters)))?;
    write_alphas(writer, alphas)?;
    write_shape(writer, config, architecture)?;
    writer.pair("general.file_type", Value::U32(file_type))?;
    writer.pair("general.quantization_version", Value::U32(2))
}

/// The stored scalars under bare keys: one value per layer, before softplus.
fn write_alphas(writer: &mut GgufWriter, alphas: &[RawXielu]) -> io::Result<()> {
    if alphas.is_empty() {
        return Ok(());
    }
    let column = |value: fn(&RawXielu) -> f32| alphas.iter().map(value).collect::<Vec<_>>();
    writer.f32s("xielu.alpha_n", &column(|a| a.alpha_n))?;
    writer.f32s("xielu.alpha_p", &column(|a| a.alpha_p))?;
    writer.f32s("xielu.beta", &column(|a| a.beta))?;
    writer.f32s("xielu.eps", &column(|a| a.eps))
}

fn write_shape(
    writer: &mut GgufWriter,
    config: &Config,
    architecture: Architecture,
) -> io::Result<()> {
    let key = |name: &str| format!("{}.{name}", architecture.name());
    let mut size = |name: &str, value: usize| {
        // `Config::validate` keeps every size below 2^31.
        writer.pair(&key(name), Value::U32(u32::try_from(value).unwrap_or(u32::MAX)))
    };
    size("block_count", config.num_layers)?;
    size("context_length", config.context_length)?;
    size("embedding_length", config.hidden_size)?;
    size("feed_forward_length", config.intermediate_size)?;
    size("attention.head_count", config.num_heads)?;
    size("attention.head_count_kv", config.num_kv_heads)?;
    size("vocab_size", config.vocab_size)?;
    if config.output_vocab_size != config.vocab_size {
        // As llama.cpp calls it for Apertus 1.5.
        size("vocab_size_out", config.output_vocab_size)?;
    }
    size("rope.dimension_count", config.head_dim)?;
    if config.q_size() != config.hidden_size {
        size("attention.key_length", config.head_dim)?;
        size("attention.value_length", config.head_dim)?;
    }
    writer.pair(&key("rope.freq_base"), Value::F32(config.rope.theta))?;
    let epsilon = key("attention.layer_norm_rms_epsilon");
    writer.pair(&epsilon, Value::F32(config.rms_norm_eps))?;
    if let RopeScaling::Linear { factor } = config.rope.scaling {
        writer.pair(&key("rope.scaling.type"), Value::Str("linear"))?;
        writer.pair(&key("rope.scaling.factor"), Value::F32(factor))?;
    }
    if architecture == Architecture::XieluLlama {
        writer.pair(&key("hidden_act"), Value::Str(act_name(config.hidden_act)?))?;
        writer.pair(&key("rope.style"), Value::Str("neox"))?;
    }
    Ok(())
}

/// What the key `hidden_act` calls it.
fn act_name(act: ActivationKind) -> io::Result<&'static str> {
    Ok(match act {
        ActivationKind::Xielu => "xielu",
        ActivationKind::Xiprelu => "xiprelu",
        ActivationKind::Relu2 => "relu2",
        ActivationKind::Swiglu => "silu",
        other => {
            return Err(io::Error::other(std::format!("GGUF has no name for an MLP of {other}")));
        }
    })
}

/// Writes the vocabulary's keys, and what the model's files say about generating text.
pub(super) fn write_vocabulary(writer: &mut GgufWriter, vocabulary: &Vocabulary) -> io::Result<()> {
    writer.pair("tokenizer.ggml.model", Value::Str(vocabulary.model))?;
    if let Some(pre) = &vocabulary.pre {
        writer.pair("tokenizer.ggml.pre", Value::Str(pre))?;
    }
    writer.strings("tokenizer.ggml.tokens", &vocabulary.tokens)?;
    let kinds: Vec<i32> = vocabulary.kinds.iter().map(|&kind| kind as i32).collect();
    writer.i32s("tokenizer.ggml.token_type", &kinds)?;
    if vocabulary.model == "gpt2" {
        writer.strings("tokenizer.ggml.merges", &vocabulary.merges)?;
    }
    write_special(writer, vocabulary)?;
    write_sampling(writer, &vocabulary.sampling)?;
    write_chat_templates(writer, &vocabulary.chat_templates)?;
    if let Some(json) = &vocabulary.json {
        writer.pair("tokenizer.huggingface.json", Value::Str(json))?;
    }
    Ok(())
}

fn write_special(writer: &mut GgufWriter, vocabulary: &Vocabulary) -> io::Result<()> {
    let text = |id: u32| vocabulary.tokens.get(id as usize).map(String::as_str);
    let stops = stop_tokens::places(&vocabulary.ends, text).keys;
    let stops = stop_tokens::KEYS.into_iter().zip(stops);
    let ids = [
        ("tokenizer.ggml.bos_token_id", vocabulary.bos),
        ("tokenizer.ggml.unknown_token_id", vocabulary.unk),
        ("tokenizer.ggml.padding_token_id", vocabulary.pad),
    ];
    for (key, id) in ids.into_iter().chain(stops) {
        if let Some(id) = id {
            writer.pair(key, Value::U32(id))?;
        }
    }
    if !vocabulary.ends.is_empty() {
        let ends: Vec<i32> = vocabulary.ends.iter().map(|&id| id as i32).collect();
        writer.i32s(stop_tokens::LIST_KEY, &ends)?;
    }
    // Where these are absent llama.cpp decides by the pre-tokenizer's name.
    writer.pair("tokenizer.ggml.add_bos_token", Value::Bool(vocabulary.add_bos))?;
    writer.pair("tokenizer.ggml.add_eos_token", Value::Bool(vocabulary.add_eos))
}

fn write_sampling(writer: &mut GgufWriter, sampling: &Sampling) -> io::Result<()> {
    let number = |value: Option<f32>| value.map(Value::F32);
    let values = [
        number(sampling.temperature),
        sampling.top_k.map(|k| Value::I32(i32::try_from(k).unwrap_or(i32::MAX))),
        number(sampling.top_p),
        number(sampling.min_p),
        number(sampling.repetition_penalty),
        sampling.penalty_last_n.map(Value::I32),
        number(sampling.typical_p),
    ];
    for (key, value) in SAMPLING_KEYS.into_iter().zip(values) {
        if let Some(value) = value {
            writer.pair(key, value)?;
        }
    }
    Ok(())
}

/// The default under a key of its own, the others under their names, which are listed.
fn write_chat_templates(writer: &mut GgufWriter, templates: &[ChatTemplate]) -> io::Result<()> {
    let mut names: Vec<String> = Vec::new();
    for template in templates {
        if template.name == "default" {
            writer.pair("tokenizer.chat_template", Value::Str(&template.text))?;
            continue;
        }
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let mut name: String = template.name.chars().map(plain).collect();
        while names.contains(&name) {
            name.push('_');
        }
        let key = format!("tokenizer.chat_template.{name}");
        writer.pair(&key, Value::Str(&template.text))?;
        names.push(name);
    }
    if names.is_empty() { Ok(()) } else { writer.strings("tokenizer.chat_templates", &names) }
}

/// A directory's name as a title: `tiny-model` becomes `Tiny Model`.
pub(super) fn title(name: &str) -> String {
    let mut title = String::new();
    for word in name.split(['-', '_', ' ']).filter(|word| !word.is_empty()) {
        if !title.is_empty() {
            title.push(' ');
        }
        let mut chars = word.chars();
        title.extend(chars.next().into_iter().flat_map(char::to_uppercase));
        title.push_str(chars.as_str());
    }
    title
}

/// A parameter count with at least two digits: `1.1M`, `8B`, `70B`.
fn size_label(parameters: u64) -> String {
    let scaled = |unit: f64| parameters as f64 / unit;
    let (value, suffix) = match parameters {
        1_000_000_000_000.. => (scaled(1e12), "T"),
        1_000_000_000.. => (scaled(1e9), "B"),
        1_000_000.. => (scaled(1e6), "M"),
        _ => (scaled(1e3), "K"),
    };
    let digits = usize::from(value < 9.5);
    format!("{value:.digits$}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels() {
        assert_eq!(size_label(1_148_296), "1.1M");
        assert_eq!(size_label(8_053_338_176), "8.1B");
        assert_eq!(size_label(70_600_000_000), "71B");
        assert_eq!(size_label(12_345), "12K");
        assert_eq!(title("tiny"), "Tiny");
        assert_eq!(title("Apertus-8B_instruct"), "Apertus 8B Instruct");
    }
}
