//! Names of pre-tokenizers in GGUF files (`tokenizer.ggml.pre`), by how they cut text.

/// Words of GPT-2.
pub(crate) const GPT_2: &[&str] = &[
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
];
/// The same, every digit alone.
pub(crate) const NUMBERS_ALONE: &[&str] =
    &["smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2"];
/// What llama.cpp takes where a file names none.
pub(crate) const DEFAULT: &[&str] = &["default"];
/// Words of Llama 3; a word that is a token is not merged.
pub(crate) const LLAMA_3: &[&str] = &[
    "llama-bpe",
    "llama3",
    "llama-v3",
    "falcon3",
    "falcon-h1",
    "pixtral",
    "midm-2.0",
    "lfm2",
    "jina-v5-nano",
];
/// The same, merged.
pub(crate) const LLAMA_3_MERGED: &[&str] = &["dbrx", "smaug-bpe", "glm4", "chatglm-bpe"];
/// Words of Tekken.
pub(crate) const TEKKEN: &[&str] = &["tekken"];
/// Words of Qwen 2.
pub(crate) const QWEN_2: &[&str] = &[
    "qwen2",
    "stablelm2",
    "deepseek-r1-qwen",
    "kormo",
    "f2llmv2",
    "megrez",
    "hunyuan",
    "solar-open",
];
/// Words of GPT-4o.
pub(crate) const GPT_4O: &[&str] = &["gpt-4o", "llama4", "kanana2", "talkie"];

/// Names that this library knows no way for. llama.cpp does: it refuses a file with a name that it
/// does not know.
#[cfg(any(test, feature = "safetensors"))]
const OTHERS: &[&str] = &[
    "minicpm5",
    "deepseek-llm",
    "deepseek-coder",
    "deepseek-v3",
    "spark2_5",
    "youtu",
    "falcon",
    "jais-2",
    "gemma4",
    "granite-embed-multi-311m",
    "sarvam-moe",
    "jina-v1-en",
    "jina-v2-code",
    "roberta-bpe",
    "whitespace",
    "qwen35",
    "poro-chat",
    "viking",
    "bloom",
    "gpt3-finnish",
    "exaone-moe",
    "chameleon",
    "granite-embed-multi-97m",
    "tiny_aya",
    "cohere2moe",
    "superbpe",
    "bailingmoe",
    "bailingmoe2",
    "llada-moe",
    "seed-coder",
    "hunyuan-dense",
    "hy_v4",
    "joyai-llm",
    "kimi-k2",
    "ufakzeka",
    "grok-2",
    "afmoe",
    "laguna",
    "minimax-m2",
];

/// Not one of llama.cpp's names, but an older program's.
#[cfg(any(test, feature = "safetensors"))]
const FOREIGN: &str = "gpt2";

/// Whether GGUF files may carry the name.
#[cfg(any(test, feature = "safetensors"))]
pub(crate) fn is_known_pre(name: &str) -> bool {
    let known =
        [GPT_2, NUMBERS_ALONE, DEFAULT, LLAMA_3, LLAMA_3_MERGED, TEKKEN, QWEN_2, GPT_4O, OTHERS];
    name != FOREIGN && known.into_iter().any(|names| names.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_files_may_carry() {
        for name in ["default", "gpt-2", "llama-bpe", "qwen2", "tekken", "mellum2", "bloom"] {
            assert!(is_known_pre(name), "{name}");
        }
        for name in ["gpt2", "", "GPT-2"] {
            assert!(!is_known_pre(name), "{name}");
        }
    }
}
