//! The pre-tokenizers that `tokenizer.ggml.pre` names.

use super::split::Split;

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
    Pre {
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
        split: Split::Gpt2,
        ignore_merges: false,
        add_bos: false,
    },
    Pre {
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
        split: Split::NumbersAlone,
        ignore_merges: false,
        add_bos: false,
    },
    Pre { names: &["default"], split: Split::Punctuation, ignore_merges: false, add_bos: false },
    Pre {
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
        split: Split::Llama3,
        ignore_merges: true,
        add_bos: true,
    },
    Pre {
        names: &["dbrx", "smaug-bpe", "glm4", "chatglm-bpe"],
        split: Split::Llama3,
        ignore_merges: false,
        add_bos: false,
    },
    Pre { names: &["tekken"], split: Split::Tekken, ignore_merges: true, add_bos: true },
    Pre {
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
        split: Split::Qwen2,
        ignore_merges: false,
        add_bos: false,
    },
    Pre {
        names: &["gpt-4o", "llama4", "kanana2", "talkie"],
        split: Split::Gpt4o,
        ignore_merges: false,
        add_bos: false,
    },
];

/// What belongs to `name`.
pub(in crate::tokenizer) fn find(name: &str) -> Option<Pre> {
    ALL.into_iter().find(|pre| pre.names.contains(&name))
}
