//! The name GGUF gives a byte-level BPE's pre-tokenizer, from what `tokenizer.json` says it does.

use std::vec::Vec;

use serde::Deserialize;
use serde_json::Value;

/// `pre_tokenizer` of `tokenizer.json`, as far as byte-level BPE uses it.
#[derive(Deserialize)]
#[serde(tag = "type")]
pub(super) enum PreTokenizer {
    Sequence {
        pretokenizers: Vec<PreTokenizer>,
    },
    Split {
        pattern: Value,
        #[serde(default)]
        invert: bool,
    },
    ByteLevel {
        #[serde(default)]
        add_prefix_space: bool,
        #[serde(default = "yes")]
        use_regex: bool,
    },
    Digits {
        #[serde(default)]
        individual_digits: bool,
    },
    #[serde(other)]
    Other,
}

fn yes() -> bool {
    true
}

/// Split patterns of well-known tokenizers and their names in GGUF files.
const REGEXES: [(&str, &str); 4] = [
    (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        "llama-bpe",
    ),
    (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        "qwen2",
    ),
    (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        "tekken",
    ),
    (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        "gpt-4o",
    ),
];

impl PreTokenizer {
    /// The name in GGUF files; `None` for one that has none here.
    pub(super) fn gguf_name(&self) -> Option<&'static str> {
        use PreTokenizer::{ByteLevel, Digits, Sequence, Split};
        let steps = match self {
            Sequence { pretokenizers } => pretokenizers.as_slice(),
            one => std::slice::from_ref(one),
        };
        match steps {
            [ByteLevel { add_prefix_space: false, use_regex: true }] => Some("gpt-2"),
            [
                Digits { individual_digits: true },
                ByteLevel { add_prefix_space: false, use_regex: true },
            ] => Some("smollm"),
            [
                Split { pattern, invert: false },
                ByteLevel { add_prefix_space: false, use_regex: false },
            ] => {
                REGEXES.iter().find(|(known, _)| pattern["Regex"] == *known).map(|&(_, name)| name)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    fn name(json: &str) -> Option<&'static str> {
        serde_json::from_str::<PreTokenizer>(json).unwrap().gguf_name()
    }

    #[test]
    fn byte_level_alone_is_gpt_2() {
        assert_eq!(name(r#"{"type":"ByteLevel","add_prefix_space":false}"#), Some("gpt-2"));
        assert_eq!(name(r#"{"type":"ByteLevel","add_prefix_space":true}"#), None);
        assert_eq!(name(r#"{"type":"ByteLevel","use_regex":false}"#), None);
        assert_eq!(name(r#"{"type":"Metaspace","replacement":"_"}"#), None);
    }

    #[test]
    fn known_split_patterns() {
        let split = |regex: &str| {
            let pattern = serde_json::json!({"Regex": regex});
            let steps = serde_json::json!([
                {"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": false},
                {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false},
            ]);
            name(&serde_json::json!({"type": "Sequence", "pretokenizers": steps}).to_string())
        };
        for (regex, known) in REGEXES {
            assert_eq!(split(regex), Some(known));
        }
        assert_eq!(split(r"\s+"), None);
        let digits = r#"{"type":"Sequence","pretokenizers":[
            {"type":"Digits","individual_digits":true},{"type":"ByteLevel"}]}"#;
        assert_eq!(name(digits), Some("smollm"));
    }
}
