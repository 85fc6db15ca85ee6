//! What of a tokenizer a GGUF vocabulary can hold, and what it cannot.

use std::collections::HashSet;
use std::format;
use std::string::{String, ToString as _};
use std::vec;
use std::vec::Vec;

use serde_json::Value;

use super::check::parts;
use super::pre_tokenizer::PreTokenizer;
use super::{Added, TokenizerJson};
use crate::names::TokenKind;

/// `tokenizer.ggml.*` of a tokenizer.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Byte-level BPE; nothing else can be kept but the tokens by id.
    pub(crate) byte_level_bpe: bool,
    pub(crate) tokens: Vec<String>,
    pub(crate) kinds: Vec<TokenKind>,
    pub(crate) merges: Vec<String>,
    /// The pre-tokenizer's name, if it has one.
    pub(crate) pre: Option<&'static str>,
    /// What other programs do otherwise, one sentence each.
    pub(crate) lost: Vec<String>,
}

impl TokenizerJson {
    /// The vocabulary for an embedding of `rows` rows.
    pub(crate) fn keep(&self, rows: usize) -> Result<Kept, String> {
        let model = self.part("model");
        let mut kept = Kept { byte_level_bpe: self.is_byte_level_bpe(), ..Kept::default() };
        self.fill_slots(rows, &mut kept)?;
        if !kept.byte_level_bpe {
            kept.lost.push(format!(
                "other programs can run the model by token ids only: its tokenizer ({}) is not \
                 byte-level BPE, and only the whole tokenizer.json says what it does",
                model["type"].as_str().unwrap_or("of no named type")
            ));
            return Ok(kept);
        }
        let merges = model["merges"].as_array().map(Vec::as_slice).unwrap_or_default();
        kept.merges = merges.iter().map(merge).collect::<Result<_, _>>()?;
        self.pre_tokenizer(&mut kept);
        self.normalizers(&mut kept.lost);
        self.matching(&mut kept.lost);
        self.decoder(&mut kept.lost);
        Ok(kept)
    }

    fn is_byte_level_bpe(&self) -> bool {
        let model = self.part("model");
        let steps = flat(self.part("pre_tokenizer"), "pretokenizers");
        let normalizers = flat(self.part("normalizer"), "normalizers");
        let byte_level = steps.iter().chain(&normalizers).any(|step| step["type"] == "ByteLevel");
        let affixes = ["continuing_subword_prefix", "end_of_word_suffix"];
        let plain = affixes.iter().all(|key| model[key].as_str().is_none_or(str::is_empty));
        matches!(model["type"].as_str(), Some("BPE") | None)
            && model["merges"].is_array()
            && model["byte_fallback"] != true
            && byte_level
            && plain
    }

    /// Tokens and kinds by id; a row without a token is unused.
    fn fill_slots(&self, rows: usize, kept: &mut Kept) -> Result<(), String> {
        let mut slots: Vec<Option<(String, TokenKind)>> = vec![None; rows];
        let mut beyond: Vec<(&str, u32)> = Vec::new();
        let mut doubled = 0;
        let normal = self.model_tokens().map(|(text, id)| (text, id, TokenKind::Normal));
        let added = self.added.iter().map(|added: &Added| {
            let kind = if added.special { TokenKind::Control } else { TokenKind::UserDefined };
            (added.content.as_str(), added.id, kind)
        });
        for (token, id, kind) in normal.chain(added) {
            match usize::try_from(id).ok().and_then(|id| slots.get_mut(id)) {
                Some(slot) => {
                    doubled += usize::from(slot.as_ref().is_some_and(|(other, _)| other != token));
                    *slot = Some((token.into(), kind));
                }
                None if beyond.last().is_none_or(|last| last.1 != id) => beyond.push((token, id)),
                None => {}
            }
        }
        if let Some((token, id)) = beyond.first() {
            kept.lost.push(format!(
                "{} of its tokens, such as {token:?} with id {id}, have no row in an embedding of \
                 {rows} and are left out",
                beyond.len()
            ));
        }
        if doubled > 0 {
            kept.lost.push(format!(
                "{doubled} ids have two tokens each, because ids are missing in the vocabulary: \
                 other programs know the added one only"
            ));
        }
        let texts = slots.iter().flatten().map(|(text, _)| text);
        let taken: HashSet<String> =
            texts.filter(|text| text.starts_with("[PAD")).cloned().collect();
        let unused = |id| {
            let mut name = format!("[PAD{id}]");
            // No two rows have the same text.
            while taken.contains(&name) {
                name.push(']');
            }
            (name, TokenKind::Unused)
        };
        let slots = slots.into_iter().enumerate();
        (kept.tokens, kept.kinds) =
            slots.map(|(id, slot)| slot.unwrap_or_else(|| unused(id))).unzip();
        Ok(())
    }

    fn model_tokens(&self) -> impl Iterator<Item = (&str, u32)> {
        let vocab = &self.part("model")["vocab"];
        // The ids have been checked.
        let by_text = vocab.as_object().into_iter().flatten();
        let by_text = by_text.map(|(text, id)| (text.as_str(), id.as_u64().unwrap_or(0) as u32));
        let list = vocab.as_array().into_iter().flatten().zip(0..);
        by_text.chain(list.map(|(entry, id)| (entry[0].as_str().unwrap_or_default(), id)))
    }

    fn pre_tokenizer(&self, kept: &mut Kept) {
        let ignores = self.part("model")["ignore_merges"] == true;
        let steps: Option<PreTokenizer> =
            serde_json::from_value(self.part("pre_tokenizer").clone()).ok();
        let Some(steps) = steps else { return };
        let found = steps.gguf_name(ignores);
        kept.pre = found.map(|found| found.name);
        if found.is_some_and(|found| found.ignore_merges != ignores) {
            kept.lost.push(format!(
                "other programs {} words that are tokens as a whole: its model has ignore_merges \
                 {ignores}, which the pre-tokenizer's name cannot say",
                if ignores { "merge" } else { "do not merge" }
            ));
        }
        if steps.adds_prefix_space() {
            kept.lost.push(
                "other programs put no space before a text (its ByteLevel has add_prefix_space): \
                 the first word gets other tokens there"
                    .into(),
            );
        }
    }

    fn normalizers(&self, lost: &mut Vec<String>) {
        let mut kinds: Vec<&str> = Vec::new();
        for step in flat(self.part("normalizer"), "normalizers") {
            let kind = step["type"].as_str().unwrap_or_default();
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        if !kinds.is_empty() {
            lost.push(format!(
                "other programs leave out its normalizer ({}): text that it changes gets other \
                 tokens there",
                kinds.join(", ")
            ));
        }
    }

    /// How added tokens are matched, beyond their texts.
    fn matching(&self, lost: &mut Vec<String>) {
        let normalizes = !flat(self.part("normalizer"), "normalizers").is_empty();
        type Flag = fn(&Added) -> bool;
        let flags: [(Flag, &str); 4] = [
            (|t| t.lstrip, "leave the white space before them in the text (lstrip)"),
            (|t| t.rstrip, "leave the white space after them in the text (rstrip)"),
            (|t| t.single_word, "find them inside words too (single_word)"),
            (|t| t.normalized, "match them before the normalizer (normalized)"),
        ];
        for (flag, what) in flags {
            let mut having = self.added.iter().filter(|token| flag(token));
            let Some(first) = having.next() else { continue };
            if what.contains("normalized") && !normalizes {
                continue;
            }
            let count = having.count() + 1;
            let first = &first.content;
            lost.push(format!("{count} added tokens, such as {first:?}: other programs {what}"));
        }
    }

    fn decoder(&self, lost: &mut Vec<String>) {
        let steps = flat(self.part("decoder"), "decoders");
        if !matches!(steps.as_slice(), [one] if one["type"] == "ByteLevel") {
            let kinds: Vec<_> = steps.iter().filter_map(|step| step["type"].as_str()).collect();
            let kinds = if kinds.is_empty() { "none".to_string() } else { kinds.join(", ") };
            lost.push(format!(
                "other programs turn ids to text as byte-level BPE does, not by its decoder \
                 ({kinds})"
            ));
        }
    }
}

/// The steps of a part, those of sequences in their place.
fn flat<'v>(value: &'v Value, list: &str) -> Vec<&'v Value> {
    let mut steps = Vec::new();
    // Checked: neither deep nor long.
    let mut open = vec![value];
    while let Some(step) = open.pop() {
        match step[list].as_array() {
            Some(inside) if step["type"] == "Sequence" => open.extend(inside.iter().rev()),
            _ if step.is_null() => {}
            _ => steps.push(step),
        }
    }
    steps
}

/// A merge as GGUF writes it: both parts and a space between.
fn merge(merge: &Value) -> Result<String, String> {
    match parts(merge) {
        Some((left, right)) if !(left.contains(' ') || right.contains(' ')) => {
            Ok(format!("{left} {right}"))
        }
        _ => Err(format!("its merge {merge} is not a pair of byte-level tokens")),
    }
}
