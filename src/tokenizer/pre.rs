//! How text is cut into words before byte-level BPE: one recipe per `tokenizer.ggml.pre` name.

use std::format;
use std::vec::Vec;

use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::tokenizer::normalizer::SplitDelimiterBehavior::Isolated;

use super::TokenizerError;

/// A family of pre-tokenizers.
pub struct Recipe {
    /// The names GGUF files carry.
    names: &'static [&'static str],
    /// Regular expressions, applied one after the other.
    regexes: &'static [&'static str],
    /// Whether a word that is a token as a whole is taken as it is, without merging.
    pub ignore_merges: bool,
    /// Whether texts begin with the beginning-of-text token when the file does not say.
    pub add_bos: bool,
}

/// Llama 3's words.
const LLAMA_3: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|",
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);
/// GPT-2's words.
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

const RECIPES: [Recipe; 8] = [
    Recipe {
        names: &[
            "gpt-2",
            "gpt2",
            "olmo",
            "mpt",
            "jais",
            "phi-2",
            "jina-es",
            "jina-de",
            "gigachat",
            "jina-v2-es",
            "jina-v2-de",
            "a.x-4.0",
            "mellum",
            "modern-bert",
            "exaone4",
            "trillion",
            "granite-docling",
        ],
        regexes: &[GPT2],
        ignore_merges: false,
        add_bos: false,
    },
    Recipe {
        names: &[
            "smollm",
            "starcoder",
            "refact",
            "command-r",
            "codeshell",
            "exaone",
            "minerva-7b",
            "mellum2",
        ],
        regexes: &[r"\p{N}", GPT2],
        ignore_merges: false,
        add_bos: false,
    },
    Recipe {
        names: &["default"],
        regexes: &[
            r"[\p{P}\$\+<=>\^~\|]+",
            r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)",
            r"\p{N}+",
            r"[0-9][0-9][0-9]",
        ],
        ignore_merges: false,
        add_bos: false,
    },
    Recipe {
        names: &[
            "llama-bpe",
            "llama3",
            "llama-v3",
            "falcon3",
            "falcon-h1",
            "pixtral",
            "midm-2.0",
            "lfm2",
            "jina-v5-nano",
        ],
        regexes: &[LLAMA_3],
        ignore_merges: true,
        add_bos: true,
    },
    Recipe {
        names: &["dbrx", "smaug-bpe", "glm4", "chatglm-bpe"],
        regexes: &[LLAMA_3],
        ignore_merges: false,
        add_bos: false,
    },
    Recipe {
        names: &["tekken"],
        regexes: &[concat!(
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|",
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|",
            r"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        )],
        ignore_merges: true,
        add_bos: true,
    },
    Recipe {
        names: &[
            "qwen2",
            "stablelm2",
            "deepseek-r1-qwen",
            "kormo",
            "f2llmv2",
            "megrez",
            "hunyuan",
            "solar-open",
        ],
        regexes: &[concat!(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|",
            r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        )],
        ignore_merges: false,
        add_bos: false,
    },
    Recipe {
        names: &["gpt-4o", "llama4", "kanana2", "talkie"],
        regexes: &[concat!(
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|",
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*",
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|",
            r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        )],
        ignore_merges: false,
        add_bos: false,
    },
];

/// The recipe of a `tokenizer.ggml.pre` name.
pub fn find(name: &str) -> Result<&'static Recipe, TokenizerError> {
    RECIPES.iter().find(|r| r.names.contains(&name)).ok_or_else(|| {
        let known: Vec<_> = RECIPES.iter().flat_map(|r| r.names).copied().collect();
        TokenizerError(format!(
            "unknown pre-tokenizer \"{name}\" (tokenizer.ggml.pre); known are: {}; \
             use the model's Hugging Face directory instead",
            known.join(", ")
        ))
    })
}

impl Recipe {
    /// The pre-tokenizer: words, then their bytes as printable characters.
    pub fn build(&self) -> Result<PreTokenizerWrapper, TokenizerError> {
        let mut steps = Vec::new();
        for regex in self.regexes {
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
        for name in RECIPES.iter().flat_map(|r| r.names) {
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
