//! The pre-tokenizers that `tokenizer.ggml.pre` names.

use super::split::Split;
use crate::names::pre_tokenizer;

/// What belongs to a name.
#[derive(Clone, Copy, Debug)]
pub(in crate::tokenizer) struct Pre {
    /// The names GGUF files carry.
    pub names: &'static [&'static str],
    /// How text is cut.
    pub split: Split,
    /// Whether a word that is a token as a whole is taken as it is, without merging.
    pub ignore_merges: bool,
    /// Whether texts begin with the beginning-of-text token when the file does not say.
    pub add_bos: bool,
}

/// Every family of names.
pub(in crate::tokenizer) const ALL: [Pre; 8] = [
    Pre { names: pre_tokenizer::GPT_2, split: Split::Gpt2, ignore_merges: false, add_bos: false },
    Pre {
        names: pre_tokenizer::NUMBERS_ALONE,
        split: Split::NumbersAlone,
        ignore_merges: false,
        add_bos: false,
    },
    Pre {
        names: pre_tokenizer::DEFAULT,
        split: Split::Punctuation,
        ignore_merges: false,
        add_bos: false,
    },
    Pre { names: pre_tokenizer::LLAMA_3, split: Split::Llama3, ignore_merges: true, add_bos: true },
    Pre {
        names: pre_tokenizer::LLAMA_3_MERGED,
        split: Split::Llama3,
        ignore_merges: false,
        add_bos: false,
    },
    Pre { names: pre_tokenizer::TEKKEN, split: Split::Tekken, ignore_merges: true, add_bos: true },
    Pre { names: pre_tokenizer::QWEN_2, split: Split::Qwen2, ignore_merges: false, add_bos: false },
    Pre { names: pre_tokenizer::GPT_4O, split: Split::Gpt4o, ignore_merges: false, add_bos: false },
];

/// What belongs to `name`.
pub(in crate::tokenizer) fn find(name: &str) -> Option<Pre> {
    ALL.into_iter().find(|pre| pre.names.contains(&name))
}
