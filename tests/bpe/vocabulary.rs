//! Vocabularies made for a test, and both tokenizers of one file side by side.

use xielu::Error;
use xielu::checkpoint::gguf::{Gguf, GgufWriter, Value};
use xielu::tokenizer::bpe::{Bpe, InPlace, Indexed, Special, work_len};
use xielu::tokenizer::{self, Tokenizer};

/// One name of every pre-tokenizer.
pub const PRES: [&str; 8] =
    ["gpt-2", "smollm", "default", "llama-bpe", "dbrx", "tekken", "qwen2", "gpt-4o"];

/// The vocabulary of a file yet to be made.
#[derive(Clone, Default)]
pub struct Vocabulary {
    pub pre: &'static str,
    pub tokens: Vec<String>,
    pub types: Vec<i32>,
    pub merges: Vec<String>,
    /// Keys without `tokenizer.ggml.` and their values.
    pub keys: Vec<(&'static str, Value<'static>)>,
    /// `eos_token_ids`.
    pub list: Option<Vec<u32>>,
}

impl Vocabulary {
    /// That of the bundled model.
    pub fn bundled() -> Self {
        let bytes = std::fs::read("tests/data/tiny-Q8_0.gguf").unwrap();
        let gguf = Gguf::parse(&bytes).unwrap();
        let strings = |key| {
            let array = gguf.get_array(key).unwrap();
            array.strs().unwrap().map(String::from).collect::<Vec<_>>()
        };
        Vocabulary {
            pre: "gpt-2",
            tokens: strings("tokenizer.ggml.tokens"),
            types: gguf.get_array("tokenizer.ggml.token_type").unwrap().i32s().unwrap().collect(),
            merges: strings("tokenizer.ggml.merges"),
            keys: vec![("bos_token_id", Value::U32(1)), ("eos_token_id", Value::U32(2))],
            list: None,
        }
    }

    /// The 256 tokens of one byte, as byte-level vocabularies write them.
    pub fn bytes() -> Self {
        let mut unprintable = 0x100..;
        let tokens = (0..=255u8).map(|byte| {
            let printable = matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..);
            let code = if printable { byte.into() } else { unprintable.next().unwrap() };
            char::from_u32(code).unwrap().to_string()
        });
        Vocabulary { pre: "gpt-2", tokens: tokens.collect(), ..Vocabulary::default() }
    }

    /// Special tokens (3), added ones (4), one within another, one that begins another.
    pub fn with_added(pre: &'static str) -> Self {
        let mut vocabulary = Vocabulary { pre, ..Vocabulary::bundled() };
        vocabulary.types.resize(vocabulary.tokens.len(), 1);
        for (token, kind) in [
            ("<|im_start|>", 3),
            ("<|im_start|>user", 4),
            ("im_start", 4),
            ("start|>u", 4),
            ("<|", 3),
            ("日本", 4),
            ("  ", 4),
            ("\n\n\n", 3),
        ] {
            match vocabulary.tokens.iter().position(|t| t == token) {
                Some(at) => vocabulary.types[at] = kind,
                None => {
                    vocabulary.tokens.push(token.into());
                    vocabulary.types.push(kind);
                }
            }
        }
        vocabulary
    }

    pub fn file(&self) -> Vec<u8> {
        let mut writer = GgufWriter::new();
        writer.pair("tokenizer.ggml.model", Value::Str("gpt2")).unwrap();
        writer.pair("tokenizer.ggml.pre", Value::Str(self.pre)).unwrap();
        writer.strings("tokenizer.ggml.tokens", &self.tokens).unwrap();
        writer.strings("tokenizer.ggml.merges", &self.merges).unwrap();
        if !self.types.is_empty() {
            writer.i32s("tokenizer.ggml.token_type", &self.types).unwrap();
        }
        for (key, value) in &self.keys {
            writer.pair(&format!("tokenizer.ggml.{key}"), *value).unwrap();
        }
        if let Some(list) = &self.list {
            writer.u32s("tokenizer.ggml.eos_token_ids", list).unwrap();
        }
        writer.begin(Vec::new()).unwrap().finish().unwrap()
    }
}

/// Both tokenizers of one file, and ours without indexes.
pub struct Both<'w> {
    pub ours: Bpe<Indexed<'w, 'w>>,
    pub in_place: Bpe<InPlace<'w>>,
    pub other: Tokenizer,
}

/// Texts up to which the vocabulary is searched in place: long words take their length squared.
const IN_PLACE: usize = 120;

impl<'w> Both<'w> {
    pub fn new(file: &'w [u8], memory: &'w mut Vec<u32>) -> Self {
        let gguf = Gguf::parse(file).unwrap();
        memory.resize(Bpe::memory_len(&gguf).unwrap(), 7);
        Both {
            ours: Bpe::new(&gguf, memory).unwrap(),
            in_place: Bpe::in_place(&gguf).unwrap(),
            other: Tokenizer::from_gguf(&gguf).unwrap(),
        }
    }

    /// Our ids of a text, which are the other's, and come back as the text.
    pub fn ids(&self, text: &str, special: Special) -> Vec<u32> {
        let ids = encoded(|work, out| self.ours.encode(text, special, work, out), text);
        let other_special = match special {
            Special::Parse => tokenizer::Special::Parse,
            Special::Plain => tokenizer::Special::Plain,
        };
        let expected = self.other.encode(text, other_special).unwrap();
        assert_eq!(ids, expected, "{special:?} {text:?}");
        if text.len() <= IN_PLACE {
            let in_place = encoded(|w, out| self.in_place.encode(text, special, w, out), text);
            assert_eq!(in_place, expected, "in place, {special:?} {text:?}");
        }
        let bytes: Vec<u8> = ids.iter().flat_map(|&id| self.ours.token(id).unwrap()).collect();
        assert_eq!(String::from_utf8(bytes).unwrap(), text);
        ids
    }

    pub fn prompt(&self, text: &str) -> Vec<u32> {
        let ids = encoded(|work, out| self.ours.encode_prompt(text, work, out), text);
        assert_eq!(ids, self.other.encode_prompt(text).unwrap(), "{text:?}");
        let in_place = encoded(|work, out| self.in_place.encode_prompt(text, work, out), text);
        assert_eq!(in_place, ids, "in place, {text:?}");
        ids
    }
}

/// All ids, in memory that is as large as a text can need.
pub fn encoded(
    encode: impl Fn(&mut [u32], &mut [u32]) -> Result<usize, Error>,
    text: &str,
) -> Vec<u32> {
    let mut work = vec![9; work_len(text.len())];
    let mut ids = vec![0; text.len() + 2];
    let n = encode(&mut work, &mut ids).unwrap();
    assert_eq!(encode(&mut work, &mut []), Ok(n), "counted");
    ids.truncate(n);
    ids
}
