//! Tokenizers of every kind that directories hold: the ids and texts that transformers gives, from
//! the directory and from the GGUF file made of it. `tests/data/tokenizers/make.py` recorded them.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use serde_json::Value;
use xielu::checkpoint::gguf::Gguf;
use xielu::checkpoint::hf::{HfDir, VocabularyOptions};
use xielu::convert::{Types, convert_hf};
use xielu::kernels::DType;
use xielu::tokenizer::Tokenizer;
use xielu_testing::hf::fixture;

/// Rows of the embedding.
const ROWS: u32 = 1024;

fn recorded() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tokenizers/variants.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The directory of a variant.
fn directory(variant: &Value) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in fs::read_dir(fixture()).unwrap() {
        let file = file.unwrap();
        if file.file_name() != "goldens.safetensors" {
            fs::copy(file.path(), dir.path().join(file.file_name())).unwrap();
        }
    }
    for (file, changes) in variant["files"].as_object().unwrap() {
        let path = dir.path().join(file);
        let changes = changes.as_object().unwrap();
        if !changes.keys().any(|key| key.starts_with('/')) {
            fs::write(path, serde_json::to_string(changes).unwrap()).unwrap();
            continue;
        }
        let mut whole: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        for (pointer, value) in changes {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            whole.pointer_mut(parent).unwrap()[key] = value.clone();
        }
        fs::write(path, whole.to_string()).unwrap();
    }
    dir
}

/// The GGUF file of a directory, and whether other programs lose anything.
fn gguf(dir: &Path, without_json: bool) -> (Vec<u8>, bool) {
    let source = HfDir::open(dir).unwrap();
    let options = VocabularyOptions { pre: None, without_json };
    let vocabulary = source.vocabulary(options).unwrap().unwrap();
    let output = dir.join("out.gguf");
    let types = Types::uniform(DType::BF16);
    let go_on = |_: xielu::convert::Progress<'_>| ControlFlow::Continue(());
    convert_hf(&source, &output, &types, Some(&vocabulary), go_on).unwrap();
    (fs::read(output).unwrap(), vocabulary.lost.is_empty())
}

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

fn check(tokenizer: &Tokenizer, variant: &Value, texts: &[Value], way: &str) {
    let name = format!("{} {way}", variant["name"]);
    let decoded = variant["decoded"].as_array().unwrap();
    for ((text, wanted), decoded) in
        texts.iter().zip(variant["ids"].as_array().unwrap()).zip(decoded)
    {
        let text = text.as_str().unwrap();
        let wanted = ids(wanted);
        assert_eq!(tokenizer.encode_prompt(text).unwrap(), wanted, "{name}: {text:?}");
        assert_eq!(tokenizer.decode(&wanted).unwrap(), decoded.as_str().unwrap(), "{name}");
        let mut stream = tokenizer.stream();
        let mut whole = String::new();
        for &id in &wanted {
            whole.extend(stream.push(id).unwrap());
        }
        whole.extend(stream.finish().unwrap());
        assert_eq!(whole, decoded.as_str().unwrap(), "{name}: stream");
    }
    let eos = variant["eos"].as_u64().unwrap() as u32;
    if eos < ROWS {
        assert!(tokenizer.ends()[0] == eos && tokenizer.is_end(eos), "{name}");
    }
}

#[test]
fn ids_and_texts_are_those_of_transformers() {
    let recorded = recorded();
    let texts = recorded["texts"].as_array().unwrap();
    let variants = recorded["variants"].as_array().unwrap();
    assert!(variants.len() > 40 && texts.len() > 6);
    let mut whole = 0;
    for variant in variants {
        let dir = directory(variant);
        let tokenizer = Tokenizer::from_hf_dir(dir.path()).unwrap();
        check(&tokenizer, variant, texts, "as a directory");
        let (bytes, nothing_lost) = gguf(dir.path(), false);
        let of_gguf = Tokenizer::from_gguf(&Gguf::parse(&bytes).unwrap()).unwrap();
        check(&of_gguf, variant, texts, "as a GGUF file");
        // What has no row in the embedding comes out of no model.
        let ends: Vec<u32> = tokenizer.ends().iter().copied().filter(|&id| id < ROWS).collect();
        assert_eq!(of_gguf.ends(), ends, "{}", variant["name"]);
        assert_eq!(of_gguf.bos(), tokenizer.bos(), "{}", variant["name"]);
        // What is said to be lost is all that is lost.
        if nothing_lost {
            whole += 1;
            let (bytes, _) = gguf(dir.path(), true);
            let plain = Tokenizer::from_gguf(&Gguf::parse(&bytes).unwrap()).unwrap();
            check(&plain, variant, texts, "as a GGUF vocabulary");
        }
    }
    assert!(whole > 12, "{whole}");
}

/// A rendered chat template brings the token along that the tokenizer adds too.
#[test]
fn no_text_begins_or_ends_twice() {
    let recorded = recorded();
    let texts = recorded["texts"].as_array().unwrap();
    let named = |name: &str| {
        let variants = recorded["variants"].as_array().unwrap();
        variants.iter().find(|variant| variant["name"] == name).unwrap()
    };
    for (name, before, after) in [
        ("begins", "<s>", ""),
        ("ends", "", "</s>"),
        ("begins and ends", "<s>", "</s>"),
        ("begins with two", "<s><pad>", ""),
    ] {
        let variant = named(name);
        let dir = directory(variant);
        let (bytes, _) = gguf(dir.path(), false);
        let of_gguf = Tokenizer::from_gguf(&Gguf::parse(&bytes).unwrap()).unwrap();
        for tokenizer in [Tokenizer::from_hf_dir(dir.path()).unwrap(), of_gguf] {
            for (text, wanted) in texts.iter().zip(variant["ids"].as_array().unwrap()) {
                let text = text.as_str().unwrap();
                let brought = tokenizer.encode_prompt(&format!("{before}{text}{after}")).unwrap();
                assert_eq!(brought, ids(wanted), "{name}: {text:?}");
            }
        }
    }
}
