//! `tokenizer.json` of a Hugging Face directory.

use std::format;
use std::path::Path;
use std::vec::Vec;

use super::{Tokenizer, TokenizerError, leading_token};

impl Tokenizer {
    /// From `tokenizer.json` in `dir`; the tokens that end a text from `generation_config.json`
    /// or `config.json` beside it.
    ///
    /// # Errors
    /// If there is none, or a file cannot be read.
    pub fn from_hf_dir(dir: &Path) -> Result<Self, TokenizerError> {
        let file = dir.join("tokenizer.json");
        if !file.is_file() {
            let file = file.display();
            let problem = format!("no tokenizer: {file} is missing; copy it from the model's page");
            return Err(TokenizerError(problem));
        }
        let failed = |e| TokenizerError::of(&format!("{} cannot be read", file.display()), &e);
        let inner = tokenizers::Tokenizer::from_file(&file).map_err(failed)?;
        let bos = leading_token(&inner).map_err(failed)?;
        Ok(Tokenizer { inner, bos, ends: end_tokens(dir)? })
    }
}

/// `eos_token_id`, a number or a list, of the first of the two files that has it.
fn end_tokens(dir: &Path) -> Result<Vec<u32>, TokenizerError> {
    for name in ["generation_config.json", "config.json"] {
        let path = dir.join(name);
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let json: serde_json::Value = serde_json::from_str(&text)
            .map_err(|e| TokenizerError(format!("{} is not JSON: {e}", path.display())))?;
        let ids: Vec<u32> = match json.get("eos_token_id") {
            Some(serde_json::Value::Array(list)) => list.iter().filter_map(as_id).collect(),
            Some(one) => as_id(one).into_iter().collect(),
            None => continue,
        };
        if !ids.is_empty() {
            return Ok(ids);
        }
    }
    Ok(Vec::new())
}

fn as_id(value: &serde_json::Value) -> Option<u32> {
    value.as_u64().and_then(|id| u32::try_from(id).ok())
}
