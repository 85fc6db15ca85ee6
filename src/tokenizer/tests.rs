//! Both sources against the ids another program gave the same text.

use std::path::{Path, PathBuf};
use std::string::String;
use std::vec::Vec;

use super::{Special, Tokenizer};
use crate::checkpoint::gguf::Gguf;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn tokenizers() -> [Tokenizer; 2] {
    let bytes = std::fs::read(path("tests/data/tiny-Q8_0.gguf")).unwrap();
    let gguf = Gguf::parse(&bytes).unwrap();
    let dir = path("tests/data/tiny");
    [Tokenizer::from_hf_dir(&dir).unwrap(), Tokenizer::from_gguf(&gguf).unwrap()]
}

/// An integer tensor of the golden file.
fn golden_ids(name: &str) -> Vec<u32> {
    let bytes = std::fs::read(path("tests/data/tiny/goldens.safetensors")).unwrap();
    let goldens = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tensor = goldens.tensor(name).unwrap();
    let width = tensor.data().len() / tensor.shape().iter().product::<usize>();
    let id = |b: &[u8]| u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    tensor.data().chunks(width).map(id).collect()
}

#[test]
fn the_held_out_text_gives_the_golden_ids_and_comes_back() {
    let text = std::fs::read_to_string(path("models/heldout.txt")).unwrap();
    let golden = golden_ids("eval_ids");
    assert_eq!(golden.len(), 8192);
    for tokenizer in tokenizers() {
        assert_eq!(tokenizer.encode(&text, Special::Plain).unwrap(), golden);
        assert_eq!(tokenizer.encode(&text, Special::Parse).unwrap(), golden);
        assert_eq!(tokenizer.inner.decode(&golden, true).unwrap(), text);
        assert_eq!(tokenizer.bos(), None);
    }
}

#[test]
fn special_tokens_are_parsed_only_when_asked_and_end_a_text() {
    for tokenizer in tokenizers() {
        assert_eq!(tokenizer.encode("<s></s>", Special::Parse).unwrap(), [1, 2]);
        let plain = tokenizer.encode("<s></s>", Special::Plain).unwrap();
        assert!(plain.len() > 2 && !plain.contains(&1) && !plain.contains(&2), "{plain:?}");
        assert!(tokenizer.is_end(2) && !tokenizer.is_end(1));
    }
}

#[test]
fn a_stream_gives_whole_characters_and_all_of_them() {
    let text = "naïve → 日本語 🙂 e\u{301} end";
    for tokenizer in tokenizers() {
        let ids = tokenizer.encode(text, Special::Plain).unwrap();
        let mut stream = tokenizer.stream();
        let mut whole = String::new();
        let mut waited = 0;
        for id in ids {
            match stream(id).unwrap() {
                Some(piece) => {
                    assert!(!piece.contains('\u{fffd}'), "{piece:?}");
                    whole += &piece;
                }
                None => waited += 1,
            }
        }
        assert_eq!(whole, text);
        // Characters outside the vocabulary take several tokens, which must have been held back.
        assert!(waited > 0);
    }
}
