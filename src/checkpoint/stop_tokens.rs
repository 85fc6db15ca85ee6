//! Which tokens end a generation: one rule for files and directories.
//!
//! What a model's files name, in whatever place, all counts. Only where they cannot name all of
//! them (GGUF files without the list `tokenizer.ggml.eos_token_ids`), or name none, are tokens
//! known by their texts, as llama.cpp knows them.

#[cfg(feature = "safetensors")]
use std::vec::Vec;

/// The list of all stop tokens in a GGUF file. ollama reads and writes it; llama.cpp has one key
/// for each of three.
pub(crate) const LIST_KEY: &str = "tokenizer.ggml.eos_token_ids";

/// The keys of single stop tokens, which llama.cpp reads.
pub(crate) const KEYS: [&str; 3] =
    ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"];

/// Tokens at which llama.cpp stops whatever the keys say.
const TEXTS: [&str; 22] = [
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<eos>",
    "<turn|>",
    "<|tool_response>",
    "<｜end▁of▁sentence｜>",
    "[e~[",
];

/// Whether a special token of this text ends a generation where nothing else says so: those of
/// llama.cpp, and that of Apertus.
pub(crate) fn ends_by_text(token: &str) -> bool {
    TEXTS.contains(&token) || token == "<|assistant_end|>"
}

/// Which key each stop token gets.
#[cfg(feature = "safetensors")]
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    /// In the order of [`KEYS`].
    pub(crate) keys: [Option<u32>; 3],
    /// Stop tokens of which llama.cpp learns nothing.
    pub(crate) untold: Vec<u32>,
}

/// Gives the keys to `ends`, the first of which is the end of a text; then to those that
/// llama.cpp does not know by their texts.
#[cfg(feature = "safetensors")]
pub(crate) fn places<'t>(ends: &[u32], text: impl Fn(u32) -> Option<&'t str>) -> Places {
    let Some((&eos, others)) = ends.split_first() else { return Places::default() };
    let known = |id: &u32| text(*id).is_some_and(|text| TEXTS.contains(&text));
    let (by_text, rest): (Vec<u32>, Vec<u32>) = others.iter().copied().partition(known);
    let mut keyed = rest.iter().chain(&by_text).copied();
    let keys = [Some(eos), keyed.next(), keyed.next()];
    Places { keys, untold: rest.into_iter().skip(2).collect() }
}

#[cfg(all(test, feature = "safetensors"))]
mod tests {
    use super::*;
    use std::vec;

    #[test]
    fn keys_go_to_what_other_programs_cannot_guess() {
        let texts = ["", "", "</s>", "<x>", "<y>", "<z>", "<|im_end|>"];
        let of = |ends: &[u32]| places(ends, |id| texts.get(id as usize).copied());
        assert_eq!(of(&[]), Places::default());
        assert_eq!(of(&[2]).keys, [Some(2), None, None]);
        assert_eq!(of(&[3, 2]).keys, [Some(3), Some(2), None]);
        let full = of(&[2, 6, 3, 4]);
        assert_eq!((full.keys, full.untold), ([Some(2), Some(3), Some(4)], vec![]));
        let more = of(&[2, 6, 3, 4, 5]);
        assert_eq!((more.keys, more.untold), ([Some(2), Some(3), Some(4)], vec![5]));
    }
}
