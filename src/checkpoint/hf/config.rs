//! `config.json` to [`Config`], with the defaults of transformers' classes.

use std::path::Path;
use std::string::String;
use std::vec::Vec;

use serde_json::{Map, Value};

use super::HfError;
use super::family::{Defaults, Family};
use super::file::read_json_within;
use super::keys::{Keys, is_off, refuse_what_is_not_computed, shown, unsupported, whole};
use super::rope::rope;
use crate::config::Config;
use crate::kernels::ActivationKind;

/// The most that is read of it.
const LIMIT: u64 = 8 << 20;

/// The whole of `config.json`.
pub(super) struct ConfigJson(Map<String, Value>);

impl ConfigJson {
    pub(super) fn read(dir: &Path) -> Result<Self, HfError> {
        read_json_within(&dir.join("config.json"), LIMIT).map(ConfigJson)
    }

    pub(super) const fn keys(&self) -> Keys<'_> {
        Keys::new(&self.0)
    }

    /// The part that describes the language model where there are others.
    pub(super) fn text(&self) -> Result<Keys<'_>, HfError> {
        Ok(self.keys().table("text_config")?.unwrap_or(self.keys()))
    }

    /// A token id, of the language model or else of the whole: the first of a list.
    pub(super) fn token_id(&self, key: &str) -> Result<Option<u32>, HfError> {
        let id = |keys: Keys<'_>| {
            let value = keys.get(key)?;
            whole(value.get(0).unwrap_or(value)).and_then(|id| u32::try_from(id).ok())
        };
        Ok(id(self.text()?).or_else(|| id(self.keys())))
    }

    /// Whether the output head is to be the embedding, if the tensors do not say otherwise.
    pub(super) fn ties_embeddings(&self) -> Result<bool, HfError> {
        let key = "tie_word_embeddings";
        Ok(self.keys().flag(key)? || self.text()?.flag(key)?)
    }

    /// The type of the weights when they are not quantized.
    pub(super) fn dtype(&self) -> Result<Option<&str>, HfError> {
        Ok(dtype(self.text()?).or(dtype(self.keys())))
    }

    /// The decoder's shape. `has_qk_norm` and `tied` are what the tensors say.
    pub(super) fn config(&self, has_qk_norm: bool, tied: bool) -> Result<Config, HfError> {
        let keys = self.text()?;
        let family = self.family()?;
        let defaults = family.defaults();
        refuse_what_is_not_computed(keys)?;
        let num_heads = keys.size("num_attention_heads", 32)?;
        let hidden_size = keys.size("hidden_size", 4096)?;
        let context_length = keys.size("max_position_embeddings", defaults.context_length)?;
        let vocab_size = keys.size("vocab_size", defaults.vocab_size)?;
        let num_layers = keys.size("num_hidden_layers", 32)?;
        refuse_windows(keys, family, num_layers)?;
        let config = Config {
            vocab_size,
            output_vocab_size: keys.optional_size("output_vocab_size")?.unwrap_or(vocab_size),
            hidden_size,
            intermediate_size: keys.size("intermediate_size", defaults.intermediate_size)?,
            num_layers,
            num_heads,
            num_kv_heads: match (keys.has("num_key_value_heads"), defaults.num_kv_heads) {
                (false, Some(default)) => default,
                _ => keys.optional_size("num_key_value_heads")?.unwrap_or(num_heads),
            },
            head_dim: head_dim(keys, &defaults, hidden_size, num_heads)?,
            context_length,
            rms_norm_eps: keys.f32("rms_norm_eps", Some(defaults.rms_norm_eps))?,
            rope: rope(keys, family, context_length)?,
            hidden_act: hidden_act(keys.text("hidden_act", defaults.hidden_act)?, family)?,
            qk_norm: qk_norm(keys, family, has_qk_norm)?,
            tie_word_embeddings: tied,
        };
        config.validate().map_err(HfError::Config)?;
        Ok(config)
    }

    /// What a user should know about how it was read.
    pub(super) fn notes(&self) -> Result<Vec<String>, HfError> {
        let (keys, family) = (self.text()?, self.family()?);
        let is_empty = |key| keys.get(key).is_none_or(Value::is_null);
        let mut notes = Vec::new();
        if family.is_apertus()
            && !is_empty("rope_theta")
            && is_empty("rope_parameters")
            && keys.get("rope_scaling").is_none_or(is_off)
        {
            notes.push(
                "config.json has `rope_theta` without rope_parameters or rope_scaling; as in \
                 transformers 5, RoPE is then that of Apertus 1: theta 12000000, llama3 scaling"
                    .into(),
            );
        }
        Ok(notes)
    }

    /// The class of the language model: where the whole is Apertus 1.5, whatever its part says,
    /// as transformers has it.
    fn family(&self) -> Result<Family, HfError> {
        match (Family::of(self.keys()), self.keys().table("text_config")?) {
            (Ok(Family::Apertus15), _) => Ok(Family::Apertus15),
            (_, Some(text)) => Family::of(text),
            (whole, None) => whole,
        }
    }
}

fn dtype<'a>(keys: Keys<'a>) -> Option<&'a str> {
    let known = |key| keys.get(key).and_then(Value::as_str);
    known("dtype").or(known("torch_dtype"))
}

fn head_dim(
    keys: Keys<'_>,
    defaults: &Defaults,
    hidden_size: usize,
    num_heads: usize,
) -> Result<usize, HfError> {
    let default = if keys.has("head_dim") { None } else { defaults.head_dim };
    match keys.optional_size("head_dim")?.or(default) {
        Some(dim) => Ok(dim),
        // Without heads there is a better error to come.
        None if num_heads == 0 => Ok(2),
        None if hidden_size.is_multiple_of(num_heads) => Ok(hidden_size / num_heads),
        None => {
            let accepted = "multiples of num_attention_heads, unless there is a head_dim";
            Err(unsupported("hidden_size", std::format!("{hidden_size}"), accepted))
        }
    }
}

/// Whether queries and keys have norms, if tensors and keys agree.
fn qk_norm(keys: Keys<'_>, family: Family, found: bool) -> Result<bool, HfError> {
    let key = "qk_norm";
    let said = match keys.get(key) {
        None | Some(Value::Null) => None,
        Some(_) => Some(keys.flag(key)?),
    };
    match said {
        Some(false) if found => {
            Err(unsupported(key, "false, but there are such norms".into(), "true"))
        }
        // Norms that are called for and missing are missing tensors.
        Some(said) => Ok(said),
        None => Ok(found || family.is_apertus() || family == Family::Qwen3),
    }
}

/// Refuses attention to a part of what came before.
fn refuse_windows(keys: Keys<'_>, family: Family, num_layers: usize) -> Result<(), HfError> {
    let window = keys.optional_size("sliding_window")?;
    let qwen3 = family == Family::Qwen3;
    let used = window.is_some() && (!qwen3 || keys.flag("use_sliding_window")?);
    let from = if qwen3 { keys.size("max_window_layers", 28)? } else { 0 };
    let types = keys.get("layer_types").filter(|types| !types.is_null());
    let Some(types) = types else {
        return match window {
            Some(window) if used && from < num_layers => {
                let window = std::format!("{window}");
                Err(unsupported("sliding_window", window, "null (attention to the whole context)"))
            }
            _ => Ok(()),
        };
    };
    let whole = |kind: &Value| match kind.as_str() {
        Some("full_attention" | "attention") => true,
        // Without a window it is attention to everything.
        Some("sliding_attention") => !used,
        _ => false,
    };
    match types.as_array() {
        Some(list) if list.iter().all(whole) => Ok(()),
        _ => Err(unsupported("layer_types", shown(types), "full_attention in every layer")),
    }
}

fn hidden_act(name: &str, family: Family) -> Result<ActivationKind, HfError> {
    let accepted = match name {
        "xielu" => return Ok(ActivationKind::Xielu),
        "xiprelu" => return Ok(ActivationKind::Xiprelu),
        "relu2" | "relu_squared" => return Ok(ActivationKind::Relu2),
        "silu" | "swish" if !family.is_apertus() => return Ok(ActivationKind::Swiglu),
        // Apertus has no gate_proj, and an ungated SiLU is not in the family.
        _ if family.is_apertus() => "xielu, xiprelu, relu2",
        _ => "xielu, xiprelu, relu2, silu",
    };
    Err(unsupported("hidden_act", String::from(name), accepted))
}

#[cfg(test)]
mod tests;
