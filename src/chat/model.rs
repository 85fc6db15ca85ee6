//! What a model's files say of conversations: its templates, and its special tokens by name.

use std::format;
use std::string::String;
use std::vec::Vec;

use super::ChatError;
use crate::checkpoint::ModelView;
use crate::checkpoint::gguf::Gguf;

/// The name of the template that is used when none is named.
pub const DEFAULT: &str = "default";

/// GGUF's keys of single tokens, by the names that templates have for them.
const TOKENS: [(&str, &str); 7] = [
    ("bos_token", "tokenizer.ggml.bos_token_id"),
    ("eos_token", "tokenizer.ggml.eos_token_id"),
    ("unk_token", "tokenizer.ggml.unknown_token_id"),
    // So spelled in files.
    ("sep_token", "tokenizer.ggml.seperator_token_id"),
    ("pad_token", "tokenizer.ggml.padding_token_id"),
    ("cls_token", "tokenizer.ggml.cls_token_id"),
    ("mask_token", "tokenizer.ggml.mask_token_id"),
];

/// The names and texts of a model's templates, the default first.
///
/// # Errors
/// [`ChatError::Model`] if a file that holds them cannot be read.
pub fn templates(view: &ModelView<'_>) -> Result<Vec<(String, String)>, ChatError> {
    match view {
        ModelView::Gguf(gguf) => Ok(of_gguf(gguf.first())),
        #[cfg(feature = "safetensors")]
        ModelView::Hf(dir) => {
            let all = dir.chat_templates().map_err(|e| ChatError::Model(format!("{e}")))?;
            Ok(all.into_iter().map(|template| (template.name, template.text)).collect())
        }
    }
}

fn of_gguf(gguf: &Gguf<'_>) -> Vec<(String, String)> {
    let default = gguf.get_str("tokenizer.chat_template").map(|text| (DEFAULT, text));
    let names = gguf.get_array("tokenizer.chat_templates").and_then(|names| names.strs());
    let named = names
        .into_iter()
        .flatten()
        .filter_map(|name| Some((name, gguf.get_str(&format!("tokenizer.chat_template.{name}"))?)));
    // The default is not in the list of names; where a file has both, its own key counts.
    let named = named.filter(|(name, _)| default.is_none() || *name != DEFAULT);
    let all = default.into_iter().chain(named);
    all.map(|(name, text)| (name.into(), text.into())).collect()
}

/// The special tokens that have names, and their texts.
pub(super) fn special_tokens(view: &ModelView<'_>) -> Result<Vec<(String, String)>, ChatError> {
    match view {
        ModelView::Gguf(gguf) => Ok(tokens_of_gguf(gguf.first())),
        #[cfg(feature = "safetensors")]
        ModelView::Hf(dir) => dir.special_texts().map_err(|e| ChatError::Model(format!("{e}"))),
    }
}

fn tokens_of_gguf(gguf: &Gguf<'_>) -> Vec<(String, String)> {
    let texts = gguf.get_array("tokenizer.ggml.tokens");
    let text = |key: &str| {
        let id = usize::try_from(gguf.get(key)?.as_i64()?).ok()?;
        texts?.get(id)?.as_str()
    };
    let named = TOKENS.into_iter().filter_map(|(name, key)| Some((name, text(key)?)));
    named.map(|(name, text)| (name.into(), text.into())).collect()
}
