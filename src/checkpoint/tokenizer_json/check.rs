//! The rules that a `tokenizer.json` must keep before anything is built of it.

use std::collections::HashMap;
use std::format;
use std::string::String;

use serde_json::{Map, Value};

use super::regex;

/// Ids of GGUF and of every framework fit an i32.
pub(super) const MAX_ID: u32 = i32::MAX as u32;
/// Bytes of a token. The longest in use are some hundred spaces.
const MAX_TOKEN: usize = 64 << 10;
/// Bytes of a text that replaces another or is put before one.
const MAX_CONTENT: usize = 1 << 10;
/// Steps of a sequence, with those of sequences inside it.
const MAX_STEPS: usize = 64;
/// Sequences in sequences.
const MAX_DEPTH: usize = 8;
/// `ByteLevel` steps: each doubles what is not ASCII.
const MAX_BYTE_LEVELS: usize = 2;
/// Characters that the decoder's `Strip` takes; 1 is usual.
const MAX_STRIP: u64 = 1 << 10;
/// How much longer the decoder's replacements together make a token.
const MAX_DECODED: usize = 1 << 12;
/// Base64 characters of a `Precompiled` map; SentencePiece's has 0.3 million.
const MAX_CHARSMAP: usize = 4 << 20;

const NORMALIZERS: [&str; 14] = [
    "Sequence",
    "Replace",
    "Prepend",
    "NFC",
    "NFD",
    "NFKC",
    "NFKD",
    "Lowercase",
    "Strip",
    "StripAccents",
    "Nmt",
    "Precompiled",
    "BertNormalizer",
    "ByteLevel",
];
const PRE_TOKENIZERS: [&str; 12] = [
    "Sequence",
    "Split",
    "ByteLevel",
    "Digits",
    "Metaspace",
    "Whitespace",
    "WhitespaceSplit",
    "Punctuation",
    "CharDelimiterSplit",
    "BertPreTokenizer",
    "UnicodeScripts",
    "FixedLength",
];
const DECODERS: [&str; 10] = [
    "Sequence",
    "ByteLevel",
    "Replace",
    "ByteFallback",
    "Fuse",
    "Strip",
    "Metaspace",
    "WordPiece",
    "BPEDecoder",
    "CTC",
];

/// Checks all parts but the post-processor, which [`super::Edges`] does, and the added tokens,
/// which are when they get their ids.
pub(super) fn check(json: &Map<String, Value>) -> Result<(), String> {
    let part = |name: &str| json.get(name).unwrap_or(&Value::Null);
    steps("normalizer", part("normalizer"), "normalizers", &NORMALIZERS, normalizer)?;
    steps("pre_tokenizer", part("pre_tokenizer"), "pretokenizers", &PRE_TOKENIZERS, pre_tokenizer)?;
    let mut growth = 1;
    steps("decoder", part("decoder"), "decoders", &DECODERS, |step, kind| {
        decoder(step, kind, &mut growth)
    })?;
    model(part("model"))
}

/// The type of a step.
pub(super) fn kind<'v>(step: &'v Value, part: &str) -> Result<&'v str, String> {
    step["type"].as_str().ok_or_else(|| format!("its {part} has a step without a type"))
}

pub(super) fn array<'v>(value: &'v Value, part: &str, key: &str) -> Result<&'v [Value], String> {
    let list = value[key].as_array();
    list.map(|list| list.as_slice()).ok_or_else(|| format!("its {part} has no list {key:?}"))
}

pub(super) fn bounded(len: usize, most: usize, part: &str, what: &str) -> Result<(), String> {
    if len > most {
        return Err(format!("its {part} has {len} {what}, at most {most} are read"));
    }
    Ok(())
}

/// Checks a token's text.
pub(super) fn token(text: &str) -> Result<(), String> {
    bounded(text.len(), MAX_TOKEN, "vocabulary", "bytes in one token")
}

/// Checks a part that may be a sequence of steps, each with `check`.
fn steps(
    part: &str,
    value: &Value,
    list: &str,
    kinds: &[&str],
    mut check: impl FnMut(&Value, &str) -> Result<(), String>,
) -> Result<(), String> {
    if value.is_null() {
        return Ok(());
    }
    let (mut count, mut byte_levels) = (0, 0);
    // Depth first, without recursion: the file decides how deep it goes.
    let mut open = std::vec![(value, 0)];
    while let Some((step, depth)) = open.pop() {
        let kind = kind(step, part)?;
        if !kinds.contains(&kind) {
            let kinds = kinds.join(", ");
            return Err(format!("its {part} has the type {kind:?}; known are {kinds}"));
        }
        if kind == "Sequence" {
            bounded(depth + 1, MAX_DEPTH, part, "sequences in each other")?;
            let inside = array(step, part, list)?;
            bounded(inside.len(), MAX_STEPS, part, "steps")?;
            open.extend(inside.iter().map(|step| (step, depth + 1)));
        } else {
            check(step, kind)?;
        }
        count += 1;
        bounded(count, MAX_STEPS, part, "steps")?;
        byte_levels += usize::from(kind == "ByteLevel");
        bounded(byte_levels, MAX_BYTE_LEVELS, part, "ByteLevel steps")?;
    }
    Ok(())
}

fn normalizer(step: &Value, kind: &str) -> Result<(), String> {
    match kind {
        "Replace" => replace(step, "normalizer").map(|_| ()),
        "Prepend" => content(step, "prepend", "normalizer").map(|_| ()),
        "Precompiled" => {
            let map = content_of(step, "precompiled_charsmap", "normalizer")?;
            bounded(map.len(), MAX_CHARSMAP, "normalizer", "characters in its map")?;
            charsmap(map)
        }
        _ => Ok(()),
    }
}

/// Checks the size at the head of a map in base64: the library takes as much memory as it says.
fn charsmap(map: &str) -> Result<(), String> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => Some(c - b'A'),
        b'a'..=b'z' => Some(c - b'a' + 26),
        b'0'..=b'9' => Some(c - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let head: Option<u64> =
        map.bytes().take(6).try_fold(0, |bits, c| Some(bits << 6 | u64::from(digit(c)?)));
    // 36 bits, 32 of which are the size, its lowest byte first.
    let size = head.filter(|_| map.len() >= 8).map(|bits| ((bits >> 4) as u32).swap_bytes());
    let bytes = map.len() / 4 * 3;
    match size {
        Some(size) if size as usize + 4 <= bytes && size % 4 == 0 => Ok(()),
        _ => Err("its normalizer has a map (precompiled_charsmap) that is cut off".into()),
    }
}

fn pre_tokenizer(step: &Value, kind: &str) -> Result<(), String> {
    match kind {
        "Split" => pattern(step, "pre_tokenizer").map(|_| ()),
        "FixedLength" if step["length"] == 0 => {
            Err("its pre_tokenizer cuts pieces of length 0".into())
        }
        _ => Ok(()),
    }
}

fn decoder(step: &Value, kind: &str, growth: &mut usize) -> Result<(), String> {
    match kind {
        "Replace" => {
            let (shortest, content) = replace(step, "decoder")?;
            *growth = growth.saturating_mul(content.div_ceil(shortest).max(1));
            bounded(*growth, MAX_DECODED, "decoder", "times the length for a token")
        }
        "Strip" => {
            for key in ["start", "stop"] {
                let count = step[key].as_u64().filter(|&count| count <= MAX_STRIP);
                if count.is_none() {
                    let count = &step[key];
                    return Err(format!(
                        "its decoder strips {count} characters ({key}), at most {MAX_STRIP} are"
                    ));
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Checks a `Replace`; the least bytes of a match, and those that come in its place.
fn replace(step: &Value, part: &str) -> Result<(usize, usize), String> {
    Ok((pattern(step, part)?, content(step, "content", part)?))
}

/// Checks a pattern; the least bytes of a match.
fn pattern(step: &Value, part: &str) -> Result<usize, String> {
    let pattern = &step["pattern"];
    match (pattern["String"].as_str(), pattern["Regex"].as_str()) {
        (Some(""), None) => Err(format!("its {part} has an empty pattern")),
        (Some(text), None) => {
            bounded(text.len(), MAX_TOKEN, part, "bytes in a pattern").map(|()| text.len())
        }
        (None, Some(pattern)) => regex::check(pattern, part).map(|()| 1),
        _ => Err(format!("its {part} has a pattern that is neither a String nor a Regex")),
    }
}

/// The length of a text that a step puts in.
fn content(step: &Value, key: &str, part: &str) -> Result<usize, String> {
    let len = content_of(step, key, part)?.len();
    bounded(len, MAX_CONTENT, part, "bytes in a text that it puts in")?;
    Ok(len)
}

fn content_of<'v>(step: &'v Value, key: &str, part: &str) -> Result<&'v str, String> {
    step[key].as_str().ok_or_else(|| format!("its {part} has a step without {key:?}"))
}

fn model(model: &Value) -> Result<(), String> {
    if !matches!(model["type"].as_str(), Some("BPE" | "Unigram" | "WordPiece" | "WordLevel") | None)
    {
        let kind = &model["type"];
        return Err(format!(
            "its model has the type {kind}; known are BPE, Unigram, WordPiece, WordLevel"
        ));
    }
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
        let len = model[key].as_str().map_or(0, str::len);
        bounded(len, MAX_CONTENT, "model", "bytes in a text that it puts in")?;
    }
    let unigram = model["type"].as_str().map(|kind| kind == "Unigram");
    match &model["vocab"] {
        Value::Object(vocab) if unigram != Some(true) => {
            ids(vocab)?;
            merges(model, vocab)
        }
        Value::Array(list) if unigram != Some(false) => unigrams(model, list),
        _ => Err("its model has no vocabulary of its type".into()),
    }
}

fn ids(vocab: &Map<String, Value>) -> Result<(), String> {
    let mut by_id = HashMap::with_capacity(vocab.len());
    for (text, id) in vocab {
        token(text)?;
        let Some(number) = id.as_u64().filter(|&id| id <= MAX_ID.into()) else {
            return Err(format!("its vocabulary has {id} for the id of {text:?}"));
        };
        if let Some(other) = by_id.insert(number, text) {
            return Err(format!("its vocabulary gives the id {number} to {other:?} and {text:?}"));
        }
    }
    Ok(())
}

/// Both parts of a merge.
pub(super) fn parts(merge: &Value) -> Option<(&str, &str)> {
    match merge {
        Value::String(text) => text.split_once(' ').filter(|(_, right)| !right.contains(' ')),
        Value::Array(pair) => match pair.as_slice() {
            [left, right] => left.as_str().zip(right.as_str()),
            _ => None,
        },
        _ => None,
    }
}

/// Checks that merges join tokens to tokens.
fn merges(model: &Value, vocab: &Map<String, Value>) -> Result<(), String> {
    // Where tokens inside a word have a mark, joining is more than that.
    let mark = model["continuing_subword_prefix"].as_str().unwrap_or_default();
    let mut joined = String::new();
    for merge in model["merges"].as_array().into_iter().flatten() {
        let Some((left, right)) = parts(merge) else {
            return Err(format!("its merge {merge} is not a pair of tokens"));
        };
        joined.clear();
        joined.push_str(left);
        joined.push_str(right.strip_prefix(mark).unwrap_or(right));
        if let Some(none) = [left, right, &joined].iter().find(|t| !vocab.contains_key(**t)) {
            return Err(format!(
                "its merge {merge} needs the token {none:?}, which the vocabulary does not have"
            ));
        }
    }
    Ok(())
}

fn unigrams(model: &Value, list: &[Value]) -> Result<(), String> {
    if list.is_empty() {
        return Err("its vocabulary is empty".into());
    }
    if let Some(unk) = model["unk_id"].as_u64()
        && unk >= list.len() as u64
    {
        return Err(format!("its model has unk_id {unk} and {} tokens", list.len()));
    }
    for entry in list {
        match (entry[0].as_str(), entry[1].as_f64()) {
            (Some(text), Some(_)) => token(text)?,
            _ => return Err(format!("its vocabulary has {entry}, not a token and its score")),
        }
    }
    Ok(())
}
