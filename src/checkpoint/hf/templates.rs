//! Chat templates: files of their own, or entries of `tokenizer_config.json`.

use std::borrow::ToOwned as _;
use std::format;
use std::fs;
use std::path::Path;
use std::string::{String, ToString as _};
use std::vec::Vec;

use serde_json::Value;

use super::HfError;
use super::file::read;

/// A Jinja template of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatTemplate {
    /// `default` for the one that is used when none is named.
    pub name: String,
    /// The template.
    pub text: String,
}

/// The template that is used when none is named.
const DEFAULT: &str = "default";

/// All templates of `dir`, the default first. As in transformers, those of the settings count only
/// where there are no files.
pub(super) fn read_all(dir: &Path, settings: &Value) -> Result<Vec<ChatTemplate>, HfError> {
    let mut all = Vec::new();
    let mut add = |name: &str, text: String| {
        if !all.iter().any(|known: &ChatTemplate| known.name == name) {
            all.push(ChatTemplate { name: name.into(), text });
        }
    };
    let default = text_file(&dir.join("chat_template.jinja"))?;
    let files = default.into_iter().map(|text| (DEFAULT.into(), text));
    let files: Vec<_> = files.chain(further(&dir.join("additional_chat_templates"))?).collect();
    let settings = if files.is_empty() { settings } else { &Value::Null };
    for (name, text) in files {
        add(&name, text);
    }
    match settings {
        Value::Null => {}
        Value::String(text) => add(DEFAULT, text.clone()),
        Value::Array(list) => {
            for entry in list {
                match (entry["name"].as_str(), entry["template"].as_str()) {
                    (Some(name), Some(text)) => add(name, text.into()),
                    _ => return Err(malformed(dir)),
                }
            }
        }
        Value::Object(map) => {
            for (name, text) in map {
                add(name, text.as_str().ok_or_else(|| malformed(dir))?.into());
            }
        }
        _ => return Err(malformed(dir)),
    }
    all.sort_by_key(|template| template.name != DEFAULT);
    Ok(all)
}

fn malformed(dir: &Path) -> HfError {
    let reason = "`chat_template` is neither a text nor a list of names and templates".into();
    HfError::Tokenizer { path: dir.join("tokenizer_config.json"), reason }
}

/// The `.jinja` files of a directory, by name.
fn further(dir: &Path) -> Result<Vec<(String, String)>, HfError> {
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let failed = |source| HfError::Io { path: dir.to_owned(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().to_string());
        let Some(name) = name.as_deref().and_then(|name| name.strip_suffix(".jinja")) else {
            continue;
        };
        found.extend(text_file(&path)?.map(|text| (name.to_string(), text)));
    }
    found.sort();
    Ok(found)
}

fn text_file(path: &Path) -> Result<Option<String>, HfError> {
    let Some(bytes) = read(path)? else { return Ok(None) };
    let text = String::from_utf8(bytes).map_err(|e| HfError::Tokenizer {
        path: path.to_owned(),
        reason: format!("it is not UTF-8: {}", e.utf8_error()),
    })?;
    Ok(Some(text))
}
