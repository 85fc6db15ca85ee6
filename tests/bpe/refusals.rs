//! Memory that is too small, and vocabularies that are broken.

use xielu::checkpoint::gguf::{Gguf, GgufWriter, Value};
use xielu::tokenizer::bpe::{Bpe, Special, work_len};

use crate::vocabulary::Vocabulary;

#[test]
fn memory_that_is_too_small_is_an_error() {
    let file = Vocabulary::bundled().file();
    let gguf = Gguf::parse(&file).unwrap();
    let needed = Bpe::memory_len(&gguf).unwrap();
    let mut memory = vec![0; needed];
    let short = Bpe::new(&gguf, &mut memory[1..]).err();
    assert_eq!(
        short.unwrap().to_string(),
        format!("the tokenizer needs {needed} elements, {} were given", needed - 1)
    );
    let bpe = Bpe::new(&gguf, &mut memory).unwrap();
    let mut ids = [0; 8];
    let mut work = vec![0; work_len(10)];
    assert!(bpe.encode("0123456789", Special::Plain, &mut work, &mut ids).is_ok());
    let e = bpe.encode("01234567890", Special::Plain, &mut work, &mut ids).err().unwrap();
    assert_eq!(e.to_string(), "the tokenizer's work needs 77 elements, 70 were given");
}

/// What is wrong with a vocabulary, in words.
#[test]
fn broken_vocabularies_are_refused() {
    fn problem(change: impl Fn(&mut Vocabulary)) -> String {
        let mut vocabulary = Vocabulary::bundled();
        change(&mut vocabulary);
        let file = vocabulary.file();
        let gguf = Gguf::parse(&file).unwrap();
        let mut memory = vec![0; Bpe::memory_len(&gguf).unwrap()];
        Bpe::new(&gguf, &mut memory).err().unwrap().to_string()
    }
    assert_eq!(
        problem(|v| v.pre = "bert"),
        "key `tokenizer.ggml.pre` names a pre-tokenizer that is not known"
    );
    assert_eq!(
        problem(|v| v.tokens[900] = "a".into()),
        "key `tokenizer.ggml.tokens` has a token twice"
    );
    assert_eq!(
        problem(|v| v.merges.push("ab".into())),
        "key `tokenizer.ggml.merges` has a merge of one part"
    );
    for merge in ["ab zz", "zz ab", "a \u{3}"] {
        assert_eq!(
            problem(|v| v.merges.push(merge.into())),
            "key `tokenizer.ggml.merges` has a merge whose tokens are not in the vocabulary"
        );
    }
    assert_eq!(
        problem(|v| {
            v.tokens.push("x".repeat(257));
            v.types.resize(v.tokens.len(), 3);
        }),
        "key `tokenizer.ggml.tokens` has a special token of more than 256 bytes"
    );
}

#[test]
fn other_keys_of_the_wrong_kind_are_refused() {
    let problem = |write: &dyn Fn(&mut GgufWriter)| {
        let mut writer = GgufWriter::new();
        write(&mut writer);
        let file = writer.begin(Vec::new()).unwrap().finish().unwrap();
        let gguf = Gguf::parse(&file).unwrap();
        let mut memory = vec![0; 10_000];
        Bpe::new(&gguf, &mut memory).err().map(|e| e.to_string())
    };
    let model = |writer: &mut GgufWriter, kind| {
        writer.pair("tokenizer.ggml.model", Value::Str(kind)).unwrap();
        writer.strings("tokenizer.ggml.tokens", ["a"]).unwrap();
    };
    assert_eq!(problem(&|_| ()).unwrap(), "the checkpoint has no key `tokenizer.ggml.tokens`");
    assert_eq!(
        problem(&|w| model(w, "llama")).unwrap(),
        "key `tokenizer.ggml.model` does not say \"gpt2\" (byte-level BPE), the only kind that is \
         supported"
    );
    assert_eq!(
        problem(&|w| w.pair("tokenizer.ggml.tokens", Value::U32(1)).unwrap()).unwrap(),
        "key `tokenizer.ggml.tokens` is not an array of strings"
    );
    assert_eq!(
        problem(&|w| {
            model(w, "gpt2");
            w.f32s("tokenizer.ggml.token_type", &[1.0]).unwrap();
        })
        .unwrap(),
        "key `tokenizer.ggml.token_type` is not an array of integers"
    );
    assert_eq!(problem(&|w| model(w, "gpt2")), None);
}

#[test]
fn a_byte_without_a_token_is_an_error() {
    let vocabulary =
        Vocabulary { pre: "gpt-2", tokens: vec!["a".into(), "b".into()], ..Vocabulary::default() };
    let file = vocabulary.file();
    let gguf = Gguf::parse(&file).unwrap();
    let mut memory = vec![0; Bpe::memory_len(&gguf).unwrap()];
    let bpe = Bpe::new(&gguf, &mut memory).unwrap();
    let mut work = [0; work_len(4)];
    let e = bpe.encode("ab c", Special::Plain, &mut work, &mut []).err().unwrap();
    assert_eq!(e.to_string(), "the vocabulary has no token for the byte 0x20");
}
