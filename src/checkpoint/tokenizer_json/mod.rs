//! `tokenizer.json` as data: checked by rule, freed of the state of a batch, its ids as the
//! `tokenizers` library gives them.
//!
//! That library fails in many ways on a file that is not as it expects; nothing is handed to it
//! that has not passed here. What a GGUF vocabulary can hold is told from here too.

mod added;
mod check;
mod edges;
pub(crate) mod patterns;
#[cfg(feature = "safetensors")]
mod pre_tokenizer;
mod regex;
#[cfg(all(test, feature = "safetensors"))]
mod tests;
#[cfg(feature = "safetensors")]
mod vocabulary;

use std::collections::HashMap;
use std::format;
use std::string::{String, ToString as _};
use std::vec::Vec;

use serde_json::{Map, Value};

use super::text_limit;

pub(crate) use added::Added;
pub(crate) use edges::Edges;
#[cfg(feature = "safetensors")]
pub(crate) use vocabulary::Kept;

/// Bytes of a file. The largest in use have 40 million; read as data each takes up to 16.
const MAX_BYTES: u64 = 128 << 20;

/// A checked `tokenizer.json`.
#[derive(Debug)]
pub(crate) struct TokenizerJson {
    json: Map<String, Value>,
    added: Vec<Added>,
    /// Where in `added` a text is: there may be 100,000 of them.
    by_text: HashMap<String, usize>,
    /// The largest id of an added token.
    largest: Option<u32>,
    edges: Edges,
}

impl TokenizerJson {
    /// Reads and checks the text of the file.
    ///
    /// Truncation and padding are what the last batch before saving was given, dropout is for
    /// training: all three are cleared.
    ///
    /// # Errors
    /// One sentence that names the part which breaks a rule.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, String> {
        let limit = text_limit::raised(MAX_BYTES);
        if text.len() as u64 > limit {
            let (found, raises) = (text.len(), text_limit::VARIABLE);
            return Err(format!(
                "it has {found} bytes, at most {limit} are read; {raises} raises that"
            ));
        }
        let json = serde_json::from_slice(text).map_err(|e| format!("it is not JSON: {e}"))?;
        let Value::Object(mut json) = json else {
            return Err("it is not a JSON object".into());
        };
        json.insert("truncation".into(), Value::Null);
        json.insert("padding".into(), Value::Null);
        if let Some(dropout) = json.get_mut("model").and_then(|model| model.get_mut("dropout")) {
            *dropout = Value::Null;
        }
        check::check(&json)?;
        let edges = Edges::of(json.get("post_processor").unwrap_or(&Value::Null))?;
        let tokens = json.get("added_tokens").cloned().unwrap_or(Value::Array(Vec::new()));
        let tokens: Vec<Added> =
            serde_json::from_value(tokens).map_err(|e| format!("its added_tokens: {e}"))?;
        let (added, by_text, largest) = (Vec::new(), HashMap::new(), None);
        let mut whole = TokenizerJson { json, added, by_text, largest, edges };
        for token in tokens {
            whole.add(token)?;
        }
        Ok(whole)
    }

    /// The text, with what was cleared and added: what reads it again gives the same ids.
    #[cfg(feature = "safetensors")]
    pub(crate) fn to_text(&self) -> String {
        let mut json = self.json.clone();
        json.insert("added_tokens".into(), added::to_json(&self.added));
        Value::Object(json).to_string()
    }

    /// Takes a part out: `normalizer`, `pre_tokenizer`, `post_processor`, `decoder`, `model`.
    #[cfg(feature = "tokenizer")]
    pub(crate) fn take(&mut self, part: &str) -> Option<Value> {
        self.json.remove(part).filter(|value| !value.is_null())
    }

    /// A part; null where there is none.
    pub(crate) fn part(&self, part: &str) -> &Value {
        self.json.get(part).unwrap_or(&Value::Null)
    }

    /// The tokens that are matched before the model sees a text, with their ids.
    pub(crate) fn added(&self) -> &[Added] {
        &self.added
    }

    /// The tokens around every text.
    pub(crate) fn edges(&self) -> &Edges {
        &self.edges
    }

    /// The id of a token, added ones first.
    #[cfg(feature = "safetensors")]
    pub(crate) fn id_of(&self, token: &str) -> Option<u32> {
        let added = self.by_text.get(token).and_then(|&at| self.added.get(at));
        added.map(|added| added.id).or_else(|| self.model_id(token))
    }

    /// Adds a token, or changes one of the same text, and gives it the id that the library gives:
    /// the model's, or the next after all. The id in the file counts for nothing.
    pub(crate) fn add(&mut self, mut token: Added) -> Result<(), String> {
        if token.content.is_empty() {
            return Ok(());
        }
        check::token(&token.content)?;
        let known = self.by_text.get(&token.content);
        if let Some(known) = known.and_then(|&at| self.added.get_mut(at)) {
            token.id = known.id;
            *known = token;
            return Ok(());
        }
        token.id = match self.model_id(&token.content) {
            Some(id) => id,
            None => self.next_id()?,
        };
        self.largest = self.largest.max(Some(token.id));
        self.by_text.insert(token.content.clone(), self.added.len());
        self.added.push(token);
        Ok(())
    }

    fn model_id(&self, token: &str) -> Option<u32> {
        let id = match &self.part("model")["vocab"] {
            Value::Object(vocab) => vocab.get(token)?.as_u64()?,
            Value::Array(list) => list.iter().position(|entry| entry[0] == token)? as u64,
            _ => return None,
        };
        u32::try_from(id).ok()
    }

    fn next_id(&self) -> Result<u32, String> {
        let size = match &self.part("model")["vocab"] {
            Value::Object(vocab) => vocab.len(),
            Value::Array(list) => list.len(),
            _ => 0,
        };
        let size = u32::try_from(size).map_err(|_| "its vocabulary is too large".to_string())?;
        Ok(self.largest.map_or(size, |id| if id >= size { id + 1 } else { size }))
    }
}
