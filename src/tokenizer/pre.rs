//! How text is cut into words before byte-level BPE: regular expressions for
//! the `tokenizers` crate. [`super::bpe`] knows the names, and cuts in the same places without them.

use std::format;
use std::vec::Vec;

use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::tokenizer::normalizer::SplitDelimiterBehavior::Isolated;

use super::TokenizerError;
use super::bpe::pre::{self, Pre};
use super::bpe::split::Split as Cut;
use crate::checkpoint::tokenizer_json::patterns::{GPT_4O, LLAMA_3, QWEN_2, TEKKEN};

/// The regular expressions of a way to cut text, applied one after the other.
const fn regexes(split: Cut) -> &'static [&'static str] {
    match split {
        Cut::Gpt2 => &[GPT2],
        Cut::NumbersAlone => &[r"\p{N}", GPT2],
        Cut::Punctuation => &PUNCTUATION,
        Cut::Llama3 => &[LLAMA_3],
        Cut::Tekken => &[TEKKEN],
        Cut::Qwen2 => &[QWEN_2],
        Cut::Gpt4o => &[GPT_4O],
    }
}

/// GPT-2's words.
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

/// Those of files that name none.
const PUNCTUATION: [&str; 4] = [
    r"[\p{P}\$\+<=>\^~\|]+",
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)",
    r"\p{N}+",
    r"[0-9][0-9][0-9]",
];

/// The recipe of a `tokenizer.ggml.pre` name.
pub fn find(name: &str) -> Result<Pre, TokenizerError> {
    pre::find(name).ok_or_else(|| {
        let known: Vec<_> = pre::ALL.iter().flat_map(|pre| pre.names).copied().collect();
        TokenizerError(format!(
            "unknown pre-tokenizer \"{name}\" (tokenizer.ggml.pre); known are: {}; \
             use the model's Hugging Face directory instead",
            known.join(", ")
        ))
    })
}

impl Pre {
    /// The pre-tokenizer: words, then their bytes as printable characters.
    pub fn build(&self) -> Result<PreTokenizerWrapper, TokenizerError> {
        let mut steps = Vec::new();
        for regex in regexes(self.split) {
            let split = Split::new(SplitPattern::Regex((*regex).into()), Isolated, false)
                .map_err(|e| TokenizerError::of("pre-tokenizer", &e))?;
            steps.push(split.into());
        }
        steps.push(ByteLevel::default().add_prefix_space(false).use_regex(false).into());
        Ok(Sequence::new(steps).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString as _;
    use tokenizers::pre_tokenizers::PreTokenizerWrapper as Wrapper;
    use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

    /// The words of `text`, as slices of it.
    fn words<'t>(pre: &str, text: &'t str) -> Vec<&'t str> {
        let wrapper: Wrapper = find(pre).unwrap().build().unwrap();
        let mut pieces = PreTokenizedString::from(text);
        wrapper.pre_tokenize(&mut pieces).unwrap();
        let splits = pieces.get_splits(OffsetReferential::Original, OffsetType::Byte);
        splits.into_iter().map(|(_, (from, to), _)| &text[from..to]).collect()
    }

    #[test]
    fn families_differ_where_their_regexes_do() {
        let text = "We'LL pay 12345 AbcDef";
        assert_eq!(words("gpt-2", text), ["We", "'", "LL", " pay", " 12345", " AbcDef"]);
        assert_eq!(words("llama-bpe", text), ["We", "'LL", " pay", " ", "123", "45", " AbcDef"]);
        assert_eq!(
            words("qwen2", text),
            ["We", "'LL", " pay", " ", "1", "2", "3", "4", "5", " AbcDef"]
        );
        assert_eq!(
            words("tekken", text),
            ["We", "'LL", " pay", " ", "1", "2", "3", "4", "5", " Abc", "Def"]
        );
        assert_eq!(words("default", text), ["We", "'", "LL", " pay", " ", "123", "45", " AbcDef"]);
    }

    #[test]
    fn no_recipe_loses_text() {
        let text = "é\u{301}\t\r\n  x = \"日本語\" 🙂🙂  1½ ";
        for name in pre::ALL.iter().flat_map(|pre| pre.names) {
            assert_eq!(words(name, text).concat(), text, "{name}");
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let message = find("bert").err().unwrap().to_string();
        assert!(message.contains("\"bert\"") && message.contains("tekken"), "{message}");
        assert_eq!(message.lines().count(), 1);
    }
}
