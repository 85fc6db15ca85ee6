//! Tokens that are matched in a text before the model sees it.

use std::string::String;
#[cfg(feature = "safetensors")]
use std::vec::Vec;

use serde::{Deserialize, Serialize};
#[cfg(feature = "safetensors")]
use serde_json::Value;

/// An entry of `added_tokens`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Added {
    #[serde(default)]
    pub(crate) id: u32,
    pub(crate) content: String,
    /// Only where no letter or digit is beside it.
    #[serde(default)]
    pub(crate) single_word: bool,
    /// Takes the white space before it.
    #[serde(default)]
    pub(crate) lstrip: bool,
    /// Takes the white space after it.
    #[serde(default)]
    pub(crate) rstrip: bool,
    /// Matched after the normalizer, not before it.
    #[serde(default)]
    pub(crate) normalized: bool,
    /// Left out of decoded text.
    #[serde(default)]
    pub(crate) special: bool,
}

impl Added {
    /// A special token matched as a whole.
    #[cfg(feature = "safetensors")]
    pub(crate) fn special(content: &str) -> Self {
        Added {
            id: 0,
            content: content.into(),
            single_word: false,
            lstrip: false,
            rstrip: false,
            normalized: false,
            special: true,
        }
    }
}

/// The array that a `tokenizer.json` holds.
#[cfg(feature = "safetensors")]
pub(super) fn to_json(added: &[Added]) -> Value {
    let mut sorted: Vec<&Added> = added.iter().collect();
    sorted.sort_by_key(|token| token.id);
    serde_json::to_value(sorted).unwrap_or(Value::Null)
}
