//! No bytes make the GGUF reader panic, loop, or break what it promises of a checked file.
//!
//! `cargo +nightly fuzz run gguf`. The seeds in `corpus/gguf/` are the headers of the test
//! models with few tokens, one layer and small tensors.
#![no_main]

#[path = "../../tests/gguf_support/walk.rs"]
mod walk;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // The verdict does not matter here; the assertions inside do.
    let _ = walk::walk(bytes);
});
