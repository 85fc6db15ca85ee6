//! Special tokens by name: `tokenizer_config.json` and the older files beside it.

use std::format;
use std::path::Path;
use std::string::String;
use std::vec::Vec;

use serde_json::{Map, Value};

use super::HfError;
use super::file::read_object;
use super::generation::Generation;
use crate::checkpoint::tokenizer_json::{Added, TokenizerJson};

/// `tokenizer_config.json`, with `special_tokens_map.json` where transformers reads that.
#[derive(Debug)]
pub(super) struct Settings {
    settings: Value,
    /// `added_tokens.json`: texts and ids, of older tokenizers.
    older: Value,
}

/// The ids of the special tokens that have names.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SpecialIds {
    pub(crate) bos: Option<u32>,
    pub(crate) unk: Option<u32>,
    pub(crate) pad: Option<u32>,
}

impl Settings {
    pub(super) fn read(dir: &Path) -> Result<Self, HfError> {
        let mut settings = read_object(&dir.join("tokenizer_config.json"))?;
        let mut older = Value::Null;
        if settings["added_tokens_decoder"].is_null() {
            older = read_object(&dir.join("added_tokens.json"))?;
            let map = read_object(&dir.join("special_tokens_map.json"))?;
            if let Value::Object(map) = map {
                if settings.is_null() {
                    settings = Value::Object(Map::new());
                }
                for (key, value) in map {
                    settings[key] = value;
                }
            }
        }
        Ok(Settings { settings, older })
    }

    /// A setting; null where there is none.
    pub(super) fn get(&self, key: &str) -> &Value {
        &self.settings[key]
    }

    /// Adds the tokens that only these files name, as transformers does when it loads them: those
    /// of `added_tokens_decoder` in the order of their ids, then the named ones, which are special
    /// wherever they come from.
    pub(super) fn add_to(&self, json: &mut TokenizerJson) -> Result<(), String> {
        for token in self.decoder()? {
            json.add(token)?;
        }
        for (name, token) in self.named() {
            let token = match json.added().iter().find(|added| added.content == token.content) {
                Some(known) => Added { special: true, ..known.clone() },
                None => token,
            };
            json.add(token).map_err(|e| format!("tokenizer_config.json's {name}: {e}"))?;
        }
        Ok(())
    }

    fn decoder(&self) -> Result<Vec<Added>, String> {
        let mut tokens = Vec::new();
        for (id, token) in self.settings["added_tokens_decoder"].as_object().into_iter().flatten() {
            let broken = |why: &str| {
                format!("tokenizer_config.json's added_tokens_decoder, token {id}: {why}")
            };
            let mut token: Added = serde_json::from_value(token.clone())
                .map_err(|e| broken(&std::string::ToString::to_string(&e)))?;
            token.id = id.parse().map_err(|_| broken("its id is no number"))?;
            tokens.push(token);
        }
        for (text, id) in self.older.as_object().into_iter().flatten() {
            let named = self.named().iter().any(|(_, token)| token.content == *text);
            let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
            let id = id.ok_or_else(|| format!("added_tokens.json: {text:?} has no id"))?;
            let (normalized, special) = (!named, named);
            tokens.push(Added { id, normalized, special, ..Added::special(text) });
        }
        tokens.sort_by_key(|token| token.id);
        Ok(tokens)
    }

    /// All special tokens that have a name, and those of lists of further ones.
    fn named(&self) -> Vec<(&str, Added)> {
        let Some(settings) = self.settings.as_object() else { return Vec::new() };
        let usual = ["bos", "eos", "unk", "sep", "pad", "cls", "mask"];
        let usual = usual.map(|name| format!("{name}_token"));
        let mut named = Vec::new();
        // An object in a list says itself whether it is special.
        let mut take = |name, value: &Value| {
            let special = !LISTS.contains(&name) || value["content"].is_null();
            let token =
                token(value).map(|token| Added { special: special || token.special, ..token });
            named.extend(token.map(|token| (name, token)));
        };
        for key in &usual {
            if let Some((key, value)) = settings.get_key_value(key) {
                take(key.as_str(), value);
            }
        }
        for (key, value) in settings {
            if key.ends_with("_token") && !usual.contains(key) && value.is_string() {
                take(key.as_str(), value);
            }
        }
        for key in LISTS {
            match &settings.get(key) {
                Some(Value::Array(list)) => list.iter().for_each(|value| take(key, value)),
                Some(Value::Object(map)) => map.values().for_each(|value| take(key, value)),
                _ => {}
            }
        }
        named
    }

    /// The names and texts of single special tokens: what templates of conversations refer to.
    pub(super) fn texts(&self) -> Vec<(String, String)> {
        let single = self.named().into_iter().filter(|(name, _)| !LISTS.contains(name));
        single.map(|(name, token)| (name.into(), token.content)).collect()
    }

    /// The id of the token that a setting names.
    pub(super) fn id(&self, key: &str, json: &TokenizerJson) -> Option<u32> {
        token(&self.settings[key]).and_then(|token| json.id_of(&token.content))
    }

    /// The ids of the special tokens; the model's settings count where these have no such key.
    pub(super) fn ids(&self, json: &TokenizerJson, generation: &Generation) -> SpecialIds {
        let has = |key: &str| self.settings.get(key).is_some();
        let id = |key: &str, otherwise: Option<u32>| {
            if has(key) { self.id(key, json) } else { otherwise }
        };
        SpecialIds {
            bos: id("bos_token", generation.bos),
            unk: id("unk_token", None),
            pad: id("pad_token", generation.pad),
        }
    }
}

/// Settings that hold several special tokens.
const LISTS: [&str; 2] = ["extra_special_tokens", "additional_special_tokens"];

/// A token given by its text, or as an object with its text and how it is matched.
fn token(value: &Value) -> Option<Added> {
    if let Some(text) = value.as_str() {
        return Some(Added::special(text));
    }
    let flag = |key: &str| value[key] == true;
    Some(Added {
        single_word: flag("single_word"),
        lstrip: flag("lstrip"),
        rstrip: flag("rstrip"),
        normalized: flag("normalized"),
        special: flag("special"),
        ..Added::special(value["content"].as_str()?)
    })
}
