//! No directory makes the reader of Hugging Face checkpoints, the tokenizer or the converter
//! panic, loop or take memory without bound; and what is converted is read again as the same.
//!
//! The input is one JSON object, file names to contents: see [`xielu_fuzz::directory`].
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use xielu::checkpoint::hf::{HfDir, VocabularyOptions};
use xielu::checkpoint::{Checkpoint, Role};
use xielu::tokenizer::Tokenizer;
use xielu_fuzz::directory;

static DIR: LazyLock<PathBuf> = LazyLock::new(|| directory::path("hf"));

fuzz_target!(|bytes: &[u8]| {
    if !directory::write(&DIR, bytes) {
        return;
    }
    if let Ok(tokenizer) = Tokenizer::from_hf_dir(&DIR) {
        let _ = tokenizer.encode_prompt("The `Vec<T>` type is</s>");
    }
    let dir = match HfDir::open(&*DIR) {
        Ok(dir) => dir,
        Err(e) => {
            assert!(!e.to_string().contains('\n'), "{e}");
            return;
        }
    };
    let config = (&dir).config().expect("an open directory has a configuration");
    assert_eq!(config.validate(), Ok(()));
    for role in [Role::TokenEmbd, Role::OutputNorm, Role::Output] {
        let _ = (&dir).tensor(role);
    }
    let _ = dir.vocabulary(VocabularyOptions::default());
});

xielu_fuzz::mutator!(json);
