//! The keys of `config.json`: typed, with defaults, and those that would change the result.

use std::format;
use std::string::{String, ToString};

use serde_json::{Map, Value};

use super::HfError;

/// A table of `config.json`.
#[derive(Clone, Copy)]
pub(super) struct Keys<'a>(&'a Map<String, Value>);

impl<'a> Keys<'a> {
    pub(super) const fn new(table: &'a Map<String, Value>) -> Self {
        Keys(table)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn entries(self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.0.iter()
    }

    /// Whether the key is there, if only as null.
    pub(super) fn has(self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    pub(super) fn get(self, key: &str) -> Option<&'a Value> {
        self.0.get(key)
    }

    /// The table under `key`; `None` if there is none.
    pub(super) fn table(self, key: &'static str) -> Result<Option<Keys<'a>>, HfError> {
        match self.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(table)) => Ok(Some(Keys(table))),
            Some(other) => Err(unsupported(key, shown(other), "a table or null")),
        }
    }

    /// A whole number, which may be written as `64.0`; the default where the key is absent, but
    /// not where it is null.
    pub(super) fn size(self, key: &'static str, default: usize) -> Result<usize, HfError> {
        let Some(value) = self.get(key) else { return Ok(default) };
        whole(value).ok_or_else(|| unsupported(key, shown(value), "whole numbers from 0 to 2^53"))
    }

    /// As [`Keys::size`], but null is as good as absent.
    pub(super) fn optional_size(self, key: &'static str) -> Result<Option<usize>, HfError> {
        match self.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => self.size(key, 0).map(Some),
        }
    }

    /// A number, if it is one in f32 too: neither infinite nor 0 unless it was.
    pub(super) fn f32(self, key: &'static str, default: Option<f64>) -> Result<f32, HfError> {
        let value = match (self.get(key), default) {
            (None, None) => return Err(HfError::MissingKey(key)),
            (None, Some(default)) => return Ok(default as f32),
            (Some(value), _) => value,
        };
        let x = number(value).ok_or_else(|| unsupported(key, shown(value), "numbers"))?;
        if x == 0.0 || (x as f32).is_normal() {
            Ok(x as f32)
        } else {
            Err(unsupported(key, shown(value), "numbers within f32's range"))
        }
    }

    /// As [`Keys::f32`], without a default.
    pub(super) fn required_f32(self, key: &'static str) -> Result<f32, HfError> {
        self.f32(key, None)
    }

    pub(super) fn text(self, key: &'static str, default: &'static str) -> Result<&'a str, HfError> {
        match self.get(key) {
            None => Ok(default),
            Some(Value::String(text)) => Ok(text),
            Some(other) => Err(unsupported(key, shown(other), "a name in quotes")),
        }
    }

    /// True or false; null is false, as in Python.
    pub(super) fn flag(self, key: &'static str) -> Result<bool, HfError> {
        match self.get(key) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(unsupported(key, shown(other), "true or false")),
        }
    }
}

/// Keys of related models that need something which is not computed here, and what they may
/// say all the same.
const NOT_COMPUTED: [(&str, Neutral); 26] = [
    ("attention_bias", Neutral::Off),
    ("mlp_bias", Neutral::Off),
    ("qkv_bias", Neutral::Off),
    ("use_bias", Neutral::Off),
    ("post_norm", Neutral::Off),
    ("parallel_residual", Neutral::Off),
    ("use_parallel_residual", Neutral::Off),
    ("rope_interleaved", Neutral::Off),
    ("is_encoder_decoder", Neutral::Off),
    ("per_layer_config", Neutral::Off),
    ("pruned_heads", Neutral::Off),
    ("num_experts", Neutral::Off),
    ("num_local_experts", Neutral::Off),
    ("n_routed_experts", Neutral::Off),
    ("attention_chunk_size", Neutral::Off),
    ("attn_temperature_tuning", Neutral::Off),
    ("no_rope_layers", Neutral::Off),
    ("attn_logit_softcapping", Neutral::Off),
    ("final_logit_softcapping", Neutral::Off),
    ("query_pre_attn_scalar", Neutral::Off),
    ("attention_multiplier", Neutral::Off),
    ("embedding_multiplier", Neutral::One),
    ("residual_multiplier", Neutral::One),
    ("logits_scaling", Neutral::One),
    ("logit_scale", Neutral::One),
    ("scale_emb", Neutral::One),
];

/// A value that changes nothing.
#[derive(Clone, Copy)]
enum Neutral {
    /// False, null, 0 or empty.
    Off,
    /// 1, or as [`Neutral::Off`] absent or null.
    One,
}

/// Refuses what would change the result and is not computed.
pub(super) fn refuse_what_is_not_computed(keys: Keys<'_>) -> Result<(), HfError> {
    for (key, neutral) in NOT_COMPUTED {
        let Some(value) = keys.get(key) else { continue };
        let (fine, accepted) = match neutral {
            Neutral::Off => (is_off(value), "false, null, 0 or empty"),
            Neutral::One => (value.is_null() || number(value) == Some(1.0), "1 or null"),
        };
        if !fine {
            return Err(unsupported(key, shown(value), accepted));
        }
    }
    Ok(())
}

/// What Python takes for false.
pub(super) fn is_off(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(on) => !on,
        Value::Number(_) => number(value) == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(table) => table.is_empty(),
    }
}

/// A number that is finite.
pub(super) fn number(value: &Value) -> Option<f64> {
    value.as_f64().filter(|x| x.is_finite())
}

/// A whole number, however it is written.
pub(super) fn whole(value: &Value) -> Option<usize> {
    if let Some(number) = value.as_u64() {
        return usize::try_from(number).ok();
    }
    let number = number(value)?;
    // Beyond 2^53 not every whole number is an f64.
    let exact = number.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&number);
    exact.then(|| usize::try_from(number as u64).ok()).flatten()
}

/// A value as the file has it, if it is short.
pub(super) fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((cut, _)) => format!("{}...", &text[..cut]),
        None => text,
    }
}

pub(super) fn unsupported(key: &'static str, value: String, accepted: &'static str) -> HfError {
    HfError::Unsupported { key, value, accepted }
}
