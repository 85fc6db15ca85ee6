//! The name GGUF gives a byte-level BPE's pre-tokenizer, from what `tokenizer.json` says it does.

use std::string::String;
use std::vec::Vec;

use serde::Deserialize;
use serde_json::Value;

use super::patterns::{GPT_4O, LLAMA_3, QWEN_2, TEKKEN};

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
        behavior: String,
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

/// A pre-tokenizer's name in GGUF files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: &'static str,
    /// Whether programs that know the name take words that are tokens as they are.
    pub(super) ignore_merges: bool,
}

const fn named(name: &'static str, ignore_merges: bool) -> Named {
    Named { name, ignore_merges }
}

/// Split patterns of well-known tokenizers and their names in GGUF files.
const REGEXES: [(&str, Named); 5] = [
    (LLAMA_3, named("llama-bpe", true)),
    (LLAMA_3, named("dbrx", false)),
    (QWEN_2, named("qwen2", false)),
    (TEKKEN, named("tekken", true)),
    (GPT_4O, named("gpt-4o", false)),
];

impl PreTokenizer {
    fn steps(&self) -> &[PreTokenizer] {
        match self {
            PreTokenizer::Sequence { pretokenizers } => pretokenizers,
            one => std::slice::from_ref(one),
        }
    }

    /// Whether a space is put before a text that begins with none.
    pub(super) fn adds_prefix_space(&self) -> bool {
        let adds = |step: &PreTokenizer| {
            matches!(step, PreTokenizer::ByteLevel { add_prefix_space: true, .. })
        };
        self.steps().iter().any(adds)
    }

    /// The name in GGUF files, of those for a pattern the one that fits `ignore_merges`; `None`
    /// for one that has no name here. The prefix space is not part of it.
    pub(super) fn gguf_name(&self, ignore_merges: bool) -> Option<Named> {
        use PreTokenizer::{ByteLevel, Digits, Split};
        match self.steps() {
            [ByteLevel { use_regex: true, .. }] => Some(named("gpt-2", false)),
            [Digits { individual_digits: true }, ByteLevel { use_regex: true, .. }] => {
                Some(named("smollm", false))
            }
            [Split { pattern, behavior, invert: false }, ByteLevel { use_regex: false, .. }]
                if behavior == "Isolated" =>
            {
                let same = || REGEXES.iter().filter(|(known, _)| pattern["Regex"] == *known);
                let fits = same().find(|(_, named)| named.ignore_merges == ignore_merges);
                fits.or_else(|| same().next()).map(|&(_, named)| named)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(json: &str) -> Option<&'static str> {
        let steps = serde_json::from_str::<PreTokenizer>(json).unwrap();
        steps.gguf_name(false).map(|named| named.name)
    }

    #[test]
    fn byte_level_alone_is_gpt_2() {
        assert_eq!(name(r#"{"type":"ByteLevel","add_prefix_space":false}"#), Some("gpt-2"));
        assert_eq!(name(r#"{"type":"ByteLevel","add_prefix_space":true}"#), Some("gpt-2"));
        assert_eq!(name(r#"{"type":"ByteLevel","use_regex":false}"#), None);
        assert_eq!(name(r#"{"type":"Metaspace","replacement":"_"}"#), None);
    }

    #[test]
    fn known_split_patterns() {
        let split = |regex: &str, behavior: &str, ignore_merges: bool| {
            let pattern = serde_json::json!({"Regex": regex});
            let steps = serde_json::json!({"type": "Sequence", "pretokenizers": [
                {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": false},
                {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false},
            ]});
            let steps: PreTokenizer = serde_json::from_value(steps).unwrap();
            steps.gguf_name(ignore_merges)
        };
        for (regex, known) in REGEXES {
            assert_eq!(split(regex, "Isolated", known.ignore_merges), Some(known));
            assert_eq!(split(regex, "Removed", known.ignore_merges), None);
        }
        assert_eq!(split(r"\s+", "Isolated", false), None);
        let digits = r#"{"type":"Sequence","pretokenizers":[
            {"type":"Digits","individual_digits":true},{"type":"ByteLevel"}]}"#;
        assert_eq!(name(digits), Some("smollm"));
    }
}
