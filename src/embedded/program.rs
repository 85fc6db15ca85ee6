//! What a program runs, and how: known when it is compiled.

use crate::llama::{DecoderOptions, KvType};

/// A model and how it is run.
pub trait Program: 'static {
    /// The bytes of a GGUF file in one piece: `include_bytes!`, or a reference to a static that a
    /// linker script puts somewhere.
    const MODEL: &'static [u8];
    /// The type of keys and values. `Q8_0` takes about half of what `F16` does, and heads of whole
    /// blocks of 32.
    const KV_TYPE: KvType = KvType::F16;
    /// Tokens at a time, and the width of the MLP's tiles.
    const OPTIONS: DecoderOptions = DecoderOptions { batch: 1, mlp_tile: 256 };
    /// Bytes of the longest word of a prompt, as the tokenizer cuts words: each takes 8 bytes of
    /// memory.
    const LONGEST_WORD: usize = 64;
}
