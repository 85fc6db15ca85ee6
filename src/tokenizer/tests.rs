//! Both sources against the ids another program gave the same text.

use std::path::{Path, PathBuf};
use std::string::{String, ToString as _};
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
        assert_eq!(tokenizer.decode(&golden).unwrap(), text);
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
            match stream.push(id).unwrap() {
                Some(piece) => {
                    assert!(!piece.contains('\u{fffd}'), "{piece:?}");
                    whole += &piece;
                }
                None => waited += 1,
            }
        }
        assert_eq!(stream.finish().unwrap(), None);
        assert_eq!(whole, text);
        // Characters outside the vocabulary take several tokens, which must have been held back.
        assert!(waited > 0);
    }
}

/// Cut anywhere, begun anywhere: bytes that are no character are told as `decode` tells them.
#[test]
fn a_stream_gives_what_decoding_all_ids_gives() {
    let text = "a🙂b日\u{fffd}\u{7f}→";
    for tokenizer in tokenizers().into_iter().chain(unusual()) {
        let ids = tokenizer.encode(text, Special::Parse).unwrap();
        assert!(ids.len() > 8, "{ids:?}");
        let mut broken = 0;
        for from in 0..ids.len() {
            for to in from..=ids.len() {
                let ids = &ids[from..to];
                let mut stream = tokenizer.stream();
                let mut pieces: Vec<String> = Vec::new();
                for &id in ids {
                    pieces.extend(stream.push(id).unwrap());
                }
                pieces.extend(stream.finish().unwrap());
                let whole = tokenizer.decode(ids).unwrap();
                assert_eq!(pieces.concat(), whole, "{ids:?}");
                broken += usize::from(whole.ends_with('\u{fffd}'));
            }
        }
        assert!(broken > 8, "{broken}");
    }
}

/// The same vocabulary under a decoder that sees whole texts.
fn unusual() -> Option<Tokenizer> {
    Some(changed(|json| {
        json["decoder"] = serde_json::json!({"type": "Sequence", "decoders": [
            json["decoder"].clone(),
            {"type": "Strip", "content": "a", "start": 1, "stop": 0},
        ]});
    }))
}

/// The fixture's tokenizer with a part of its file changed.
fn changed(change: impl FnOnce(&mut serde_json::Value)) -> Tokenizer {
    let text = std::fs::read(path("tests/data/tiny/tokenizer.json")).unwrap();
    let mut json: serde_json::Value = serde_json::from_slice(&text).unwrap();
    change(&mut json);
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("tokenizer.json"), json.to_string()).unwrap();
    Tokenizer::from_hf_dir(dir.path()).unwrap()
}

#[test]
fn what_the_library_panics_at_is_an_error_that_names_the_part() {
    use serde_json::json;
    // A map whose offsets point nowhere.
    let junk = changed(|json| {
        let map = std::format!("QAAAAP//{}//8A", "/".repeat(80));
        json["normalizer"] = json!({"type": "Precompiled", "precompiled_charsmap": map});
    });
    let problem = junk.encode("ab", Special::Plain).unwrap_err().to_string();
    assert!(problem.starts_with("the tokenizer's normalizer fails: "), "{problem}");
    let strip = changed(|json| {
        json["decoder"] = json!({"type": "Strip", "content": "a", "start": 0, "stop": 3});
    });
    let ids = strip.encode("a", Special::Plain).unwrap();
    let problem = strip.decode(&ids).unwrap_err().to_string();
    assert!(problem.starts_with("the tokenizer's decoder fails: "), "{problem}");
    assert_eq!(problem.lines().count(), 1, "{problem}");
}

/// A vocabulary as sentencepiece makes them: U+2581 for spaces, tokens for bytes.
#[cfg(feature = "session")]
fn with_byte_fallback() -> Tokenizer {
    use serde_json::json;
    changed(|json| {
        let bytes = (0..=255).map(|b: u8| std::format!("<0x{b:02X}>"));
        let texts = ["<unk>", "a", "b", "\u{2581}", "\u{2581}a"].map(String::from);
        let vocab: serde_json::Map<_, _> =
            (0..).zip(texts.into_iter().chain(bytes)).map(|(id, t)| (t, json!(id))).collect();
        json["model"] = json!({
            "type": "BPE", "vocab": vocab, "merges": [["\u{2581}", "a"]], "unk_token": "<unk>",
            "byte_fallback": true,
        });
        json["pre_tokenizer"] = json!({
            "type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "first",
        });
        json["decoder"] = json!({"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "\u{2581}"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0},
        ]});
        json["added_tokens"] = json!([]);
        json["post_processor"] = json!(null);
        json["normalizer"] = json!(null);
    })
}

#[cfg(feature = "session")]
#[test]
fn words_of_a_text_s_tokens_are_its_bytes() {
    use super::Word;
    let text = "a b  ab\n🙂 日本 a";
    let all = tokenizers().into_iter().map(|t| (t, 2048, text.to_string()));
    for (tokenizer, count, expected) in
        all.chain([(with_byte_fallback(), 261, std::format!(" {text}"))])
    {
        let words = tokenizer.words(count + 1).unwrap();
        assert_eq!(words.len(), count + 1);
        assert_eq!(words[count], Word::Unknown);
        let ids = tokenizer.encode(text, Special::Plain).unwrap();
        let bytes = ids.iter().flat_map(|&id| match &words[id as usize] {
            Word::Text(bytes) => bytes.clone(),
            other => panic!("{id}: {other:?}"),
        });
        assert_eq!(String::from_utf8(bytes.collect()).unwrap(), expected);
    }
    let [_, gguf] = tokenizers();
    assert_eq!(gguf.words(3).unwrap()[2], Word::Special("</s>".into()));
}
