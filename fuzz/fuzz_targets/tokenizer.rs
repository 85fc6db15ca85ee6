//! No `tokenizer.json` makes the tokenizer panic, abort, loop or take memory without bound.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use xielu::tokenizer::{Special, Tokenizer};
use xielu_fuzz::directory;

static DIR: LazyLock<PathBuf> = LazyLock::new(|| {
    let dir = directory::path("tokenizer");
    fs::create_dir_all(&dir).expect("a directory for the files");
    dir
});

const TEXTS: [&str; 4] = ["", "The `Vec<T>` type is", " \n\n\té漢字🙂\u{0}\u{301}", "</s><s> x"];

fuzz_target!(|bytes: &[u8]| {
    fs::write(DIR.join("tokenizer.json"), bytes).expect("a file in memory");
    let tokenizer = match Tokenizer::from_hf_dir(&DIR) {
        Ok(tokenizer) => tokenizer,
        Err(e) => {
            assert!(!e.to_string().contains('\n'), "{e}");
            return;
        }
    };
    for text in TEXTS {
        for special in [Special::Parse, Special::Plain] {
            let Ok(ids) = tokenizer.encode(text, special) else { continue };
            let mut stream = tokenizer.stream();
            for id in ids.into_iter().chain([0, 1, u32::MAX]) {
                let _ = stream.push(id);
            }
            let _ = stream.finish();
        }
    }
});

xielu_fuzz::mutator!(json);
