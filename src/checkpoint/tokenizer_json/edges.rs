//! The tokens that a post-processor puts around one text.

use std::format;
use std::string::String;
use std::vec::Vec;

use serde_json::Value;

use super::check::{array, bounded, kind};

/// Ids that begin and end every text of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Edges {
    pub(crate) prefix: Vec<u32>,
    pub(crate) suffix: Vec<u32>,
}

/// Processors of a sequence, pieces of a template, ids of a piece: far fewer are in use.
const MAX: usize = 64;

impl Edges {
    /// Of `post_processor`, which may be null.
    pub(super) fn of(processor: &Value) -> Result<Self, String> {
        let mut edges = Edges::default();
        let steps = match processor["type"].as_str() {
            _ if processor.is_null() => return Ok(edges),
            Some("Sequence") => array(processor, "post_processor", "processors")?,
            _ => std::slice::from_ref(processor),
        };
        bounded(steps.len(), MAX, "post_processor", "processors")?;
        for step in steps {
            edges.wrap(step)?;
        }
        Ok(edges)
    }

    /// One more processor around what is there.
    fn wrap(&mut self, step: &Value) -> Result<(), String> {
        match kind(step, "post_processor")? {
            "ByteLevel" => Ok(()),
            "TemplateProcessing" => self.template(step),
            "BertProcessing" | "RobertaProcessing" => {
                self.prefix.insert(0, id(&step["cls"][1])?);
                self.suffix.push(id(&step["sep"][1])?);
                Ok(())
            }
            other => Err(format!("its post_processor has the type {other:?}, which is unknown")),
        }
    }

    fn template(&mut self, step: &Value) -> Result<(), String> {
        let pieces = array(step, "post_processor", "single")?;
        bounded(pieces.len(), MAX, "post_processor", "pieces")?;
        // The template for pairs is not used, but is checked by nobody else either.
        for piece in array(step, "post_processor", "pair")? {
            ids(step, piece)?;
        }
        let is_text = |piece: &Value| piece["Sequence"]["id"] == "A";
        let texts = pieces.iter().filter(|piece| is_text(piece)).count();
        let [before, after] = match pieces.iter().position(is_text) {
            Some(at) if texts == 1 => [&pieces[..at], &pieces[at + 1..]],
            _ => {
                return Err(format!(
                    "its post_processor has a template that holds the text {texts} times, not once"
                ));
            }
        };
        let all = |pieces: &[Value]| {
            let lists: Result<Vec<_>, String> = pieces.iter().map(|p| ids(step, p)).collect();
            lists.map(|lists| lists.concat())
        };
        self.prefix.splice(0..0, all(before)?);
        self.suffix.extend(all(after)?);
        bounded(self.prefix.len().max(self.suffix.len()), MAX, "post_processor", "ids")
    }
}

/// The ids of a piece of a template; none for a text.
fn ids(step: &Value, piece: &Value) -> Result<Vec<u32>, String> {
    if piece.get("Sequence").is_some() {
        return Ok(Vec::new());
    }
    let Some(name) = piece["SpecialToken"]["id"].as_str() else {
        return Err("its post_processor has a template with a piece that is no token".into());
    };
    let Some(list) = step["special_tokens"][name]["ids"].as_array() else {
        return Err(format!("its post_processor uses the token {name:?} and gives it no ids"));
    };
    bounded(list.len(), MAX, "post_processor", "ids")?;
    list.iter().map(id).collect()
}

fn id(value: &Value) -> Result<u32, String> {
    let id = value.as_u64().filter(|&id| id <= u64::from(super::check::MAX_ID));
    id.map(|id| id as u32).ok_or_else(|| format!("its post_processor has {value} for a token's id"))
}
