//! Everything of a directory that concerns text: the tokenizer, its special tokens, what ends a
//! generation and how to sample one.

use std::collections::HashSet;
use std::path::Path;
use std::string::String;
use std::vec::Vec;

use super::HfError;
use super::file::read;
use super::generation::Generation;
use super::special::{Settings, SpecialIds};
use crate::checkpoint::Sampling;
use crate::checkpoint::stop_tokens::ends_by_text;
use crate::checkpoint::tokenizer_json::TokenizerJson;

/// What a directory says about text.
#[derive(Debug)]
pub(crate) struct TextFiles {
    /// `tokenizer.json`, with the special tokens that only other files name.
    pub(crate) json: TokenizerJson,
    pub(crate) special: SpecialIds,
    /// All tokens that end a generation; the first is the end of a text.
    pub(crate) ends: Vec<u32>,
    pub(crate) sampling: Sampling,
    pub(super) settings: Settings,
}

impl TextFiles {
    /// Reads the files of `dir`; `None` if it has no `tokenizer.json`.
    pub(crate) fn open(dir: &Path) -> Result<Option<Self>, HfError> {
        let path = dir.join("tokenizer.json");
        let Some(text) = read(&path)? else { return Ok(None) };
        let refuse = |reason: String| HfError::Tokenizer { path: path.clone(), reason };
        let mut json = TokenizerJson::parse(&text).map_err(refuse)?;
        drop(text);
        let settings = Settings::read(dir)?;
        settings.add_to(&mut json).map_err(refuse)?;
        let generation = Generation::read(dir)?;
        let special = settings.ids(&json, &generation);
        // The tokenizer's own first: it ends a text, the others end turns and calls.
        let mut ends: Vec<u32> = settings.id("eos_token", &json).into_iter().collect();
        ends.extend(&generation.ends);
        if ends.is_empty() {
            let known = json.added().iter().filter(|t| t.special && ends_by_text(&t.content));
            ends.extend(known.map(|token| token.id));
        }
        keep_first(&mut ends);
        Ok(Some(TextFiles { json, special, ends, sampling: generation.sampling, settings }))
    }
}

/// Leaves out ids that have occurred before.
fn keep_first(ids: &mut Vec<u32>) {
    let mut seen = HashSet::new();
    ids.retain(|id| seen.insert(*id));
}
