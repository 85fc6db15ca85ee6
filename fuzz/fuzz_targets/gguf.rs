//! No bytes make the GGUF reader or the tokenizer of its vocabulary panic, loop, or break what
//! they promise of a checked file. The seeds in `corpus/gguf/` are the headers of the test models
//! with few tokens, one layer and small tensors.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xielu::checkpoint::gguf::Gguf;
use xielu::tokenizer::Tokenizer;

#[path = "../../tests/gguf/walk.rs"]
mod walk;

fuzz_target!(|bytes: &[u8]| {
    // The verdict does not matter here; the assertions inside do.
    let _ = walk::walk(bytes);
    if let Ok(gguf) = Gguf::parse(bytes)
        && let Ok(tokenizer) = Tokenizer::from_gguf(&gguf)
    {
        let _ = tokenizer.encode_prompt("The `Vec<T>` type\n\n is</s> é");
    }
});

xielu_fuzz::mutator!(gguf);
