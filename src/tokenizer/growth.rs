//! How much longer a normalizer makes a text: a few replacements in a row turn a line into
//! gigabytes.

use std::borrow::ToOwned as _;
use std::format;
use std::string::String;
use std::vec::Vec;

use serde_json::Value;
use tokenizers::{NormalizedString, Normalizer as _, NormalizerWrapper};

use super::TokenizerError;
use super::guard::guarded;

/// Bytes that a text may always become; longer ones may become `RATIO` times as long.
const ALWAYS: usize = 4 << 20;
const RATIO: usize = 8;

const FAILS: &str = "the tokenizer's normalizer fails";

/// The steps of a normalizer.
pub(crate) struct Growth {
    steps: Vec<Step>,
    /// The product of the steps' factors.
    most: usize,
}

struct Step {
    normalizer: NormalizerWrapper,
    /// A text and what comes in its place: that needs no normalizer to be measured.
    replaced: Option<[String; 2]>,
    /// How many times as long a text can become.
    most: usize,
}

impl Growth {
    /// Where there is no normalizer.
    pub(super) const fn none() -> Self {
        Growth { steps: Vec::new(), most: 1 }
    }

    /// Of a checked normalizer.
    pub(super) fn of(normalizer: &Value) -> Result<Self, TokenizerError> {
        let mut steps = Vec::new();
        let mut open = std::vec![normalizer];
        while let Some(step) = open.pop() {
            if let Some(inside) = step["normalizers"].as_array() {
                open.extend(inside.iter().rev());
                continue;
            }
            if step.is_null() {
                continue;
            }
            let read = || Ok(serde_json::from_value(step.clone())?);
            let normalizer = guarded("its normalizer cannot be read", read)?;
            steps.push(Step { normalizer, replaced: replaced(step), most: factor(step) });
        }
        let most = steps.iter().fold(1usize, |most, step| most.saturating_mul(step.most));
        Ok(Growth { steps, most })
    }

    /// Refuses a text that the normalizer would make too long.
    pub(crate) fn check(&self, text: &str) -> Result<(), TokenizerError> {
        self.check_within(text, ALWAYS)
    }

    /// The error of a step that fails on `text`.
    pub(super) fn fails(&self, text: &str) -> Result<(), TokenizerError> {
        let mut text = NormalizedString::from(text);
        let mut steps = self.steps.iter();
        steps.try_for_each(|step| guarded(FAILS, || step.normalizer.normalize(&mut text)))
    }

    fn check_within(&self, text: &str, always: usize) -> Result<(), TokenizerError> {
        let bound = always.max(text.len().saturating_mul(RATIO));
        if text.len().saturating_mul(self.most) <= bound {
            return Ok(());
        }
        let mut normalized = text.to_owned();
        for step in &self.steps {
            normalized = step.apply(&normalized, bound)?.ok_or_else(|| {
                TokenizerError(format!(
                    "the text cannot be tokenized: the tokenizer's normalizer makes {} bytes of it \
                     more than {bound}",
                    text.len()
                ))
            })?;
        }
        Ok(())
    }
}

/// How many times as long a step can make a text.
fn factor(step: &Value) -> usize {
    let len = |key: &str| step[key].as_str().map_or(0, str::len);
    match step["type"].as_str() {
        Some("Replace") => {
            let shortest = step["pattern"]["String"].as_str().map_or(1, str::len).max(1);
            // A pattern that matches nothing at all puts its text in everywhere.
            let beside = usize::from(step["pattern"]["Regex"].is_string());
            len("content").div_ceil(shortest).max(1) + beside
        }
        // Before each piece between added tokens, of a character at least.
        Some("Prepend") => 1 + len("prepend"),
        Some("Precompiled") => len("precompiled_charsmap").max(1),
        Some("ByteLevel") => 2,
        // Unicode's tables make no character more than 18 times as long, however many there are.
        _ => 1,
    }
}

/// The texts of a `Replace` without a regular expression.
fn replaced(step: &Value) -> Option<[String; 2]> {
    let old = step["pattern"]["String"].as_str().filter(|_| step["type"] == "Replace")?;
    Some([old.to_owned(), step["content"].as_str()?.to_owned()])
}

impl Step {
    /// The normalized text, piece by piece so that none becomes too long; `None` where all of it
    /// does. Cutting the text may change what is matched at the cuts, but hardly its length.
    fn apply(&self, text: &str, bound: usize) -> Result<Option<String>, TokenizerError> {
        if let Some([old, new]) = &self.replaced {
            let matches = text.matches(old.as_str()).count();
            let len = (text.len() - matches * old.len()).saturating_add(matches * new.len());
            return Ok((len <= bound).then(|| text.replace(old.as_str(), new)));
        }
        let piece = (ALWAYS / self.most.max(1)).clamp(4, 64 << 10);
        let mut out = String::new();
        let mut rest = text;
        while !rest.is_empty() {
            let end = (0..=piece.min(rest.len())).rev().find(|&at| rest.is_char_boundary(at));
            let (head, tail) = rest.split_at(end.filter(|&at| at > 0).unwrap_or(rest.len()));
            rest = tail;
            let mut piece = NormalizedString::from(head);
            guarded(FAILS, || self.normalizer.normalize(&mut piece))?;
            out.push_str(piece.get());
            if out.len() > bound {
                return Ok(None);
            }
        }
        Ok(Some(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::string::ToString as _;

    #[test]
    fn a_line_does_not_become_gigabytes() {
        let ten = json!({"type": "Replace", "pattern": {"String": "a"}, "content": "aaaaaaaaaa"});
        let steps = std::vec![ten; 9];
        let growth = Growth::of(&json!({"type": "Sequence", "normalizers": steps})).unwrap();
        growth.check("bbb").unwrap();
        assert!(growth.check("a").is_err());
        let regex = json!({"type": "Replace", "pattern": {"Regex": "."}, "content": "aaaaaaaaaa"});
        let steps = std::vec![regex; 9];
        let growth = Growth::of(&json!({"type": "Sequence", "normalizers": steps})).unwrap();
        let problem = growth.check_within("aab", 10_000).unwrap_err().to_string();
        assert!(problem.contains("makes 3 bytes of it more than"), "{problem}");
        let prepend = json!({"type": "Prepend", "prepend": "x".repeat(1000)});
        Growth::of(&prepend).unwrap().check(&"é".repeat(10_000)).unwrap();
        // Long texts may stay long.
        let usual = json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"});
        Growth::of(&usual).unwrap().check(&"a ".repeat(3 << 20)).unwrap();
        Growth::none().check(&"a".repeat(9 << 20)).unwrap();
    }
}
