//! Byte-level BPE without an allocator gives the ids of the `tokenizers` crate, and its texts.

use std::path::Path;

use xielu::Error;
use xielu::checkpoint::gguf::{Gguf, GgufWriter, Value};
use xielu::tokenizer::Tokenizer;
use xielu::tokenizer::bpe::{Bpe, Special, Utf8Stream, work_len};

use crate::vocabulary::{Both, Vocabulary, encoded};

/// One name of every pre-tokenizer.
const PRES: [&str; 8] =
    ["gpt-2", "smollm", "default", "llama-bpe", "dbrx", "tekken", "qwen2", "gpt-4o"];

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn the_bundled_vocabulary_gives_the_same_ids_under_every_name() {
    let whole = [
        read("tests/data/torture.txt"),
        read("models/heldout.txt"),
        read("README.md"),
        read("src/llama/attention.rs"),
        read("include/xielu.h"),
    ];
    let mut lines = 0;
    for pre in PRES {
        let file = Vocabulary { pre, ..Vocabulary::bundled() }.file();
        let mut memory = Vec::new();
        let both = Both::new(&file, &mut memory);
        for text in &whole {
            both.ids(text, Special::Parse);
            both.ids(text, Special::Plain);
        }
        for line in whole[..2].iter().flat_map(|text| text.lines()) {
            both.ids(line, Special::Parse);
            lines += 1;
        }
    }
    assert!(lines > 5000, "{lines}");
}

/// Numbers that look random.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (self.0 >> 33) as usize % n
    }

    /// A text of few letters, so that much merges.
    fn text(&mut self, letters: &[&str], longest: usize) -> String {
        let n = 1 + self.below(longest);
        (0..n).map(|_| letters[self.below(letters.len())]).collect()
    }
}

/// Merges in an order that has nothing to do with lengths or ids, some twice, and tokens that
/// nothing merges into.
fn random_vocabulary(numbers: &mut Numbers) -> Vocabulary {
    let mut vocabulary = Vocabulary::bytes();
    let mut parts: Vec<String> = ["a", "b", "Ġ", "Ã", "©", "1"].map(String::from).to_vec();
    let mut merges = Vec::new();
    while merges.len() < 80 {
        let (left, right) = (numbers.below(parts.len()), numbers.below(parts.len()));
        let token = format!("{}{}", parts[left], parts[right]);
        if token.chars().count() > 12 {
            continue;
        }
        let merge = format!("{} {}", parts[left], parts[right]);
        if !vocabulary.tokens.contains(&token) {
            vocabulary.tokens.push(token.clone());
            parts.push(token);
        } else if merges.contains(&merge) && numbers.below(4) > 0 {
            continue;
        }
        let at = numbers.below(merges.len() + 1);
        merges.insert(at, merge);
    }
    for _ in 0..20 {
        let token = numbers.text(&["a", "b", "Ġ", "1"], 6);
        if !vocabulary.tokens.contains(&token) {
            vocabulary.tokens.push(token);
        }
    }
    vocabulary.merges = merges;
    vocabulary
}

#[test]
fn random_merges_happen_in_the_same_order() {
    let mut numbers = Numbers(1);
    for round in 0..150 {
        let pre = PRES[round % PRES.len()];
        let file = Vocabulary { pre, ..random_vocabulary(&mut numbers) }.file();
        let mut memory = Vec::new();
        let both = Both::new(&file, &mut memory);
        for _ in 0..40 {
            both.ids(&numbers.text(&["a", "b", "a", "b", "é", " ", "1"], 60), Special::Parse);
        }
        both.ids(&numbers.text(&["a", "b"], 4000), Special::Parse);
    }
}

/// Special tokens (3), added ones (4), one within another, one that begins another.
fn with_added(pre: &'static str) -> Vocabulary {
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

#[test]
fn special_and_added_tokens_are_matched_as_they_stand() {
    let mut numbers = Numbers(2);
    let pieces = [
        "<|im_start|>",
        "<|im_start|>user",
        "im_start",
        "start|>u",
        "<|",
        "|>",
        "日",
        "本",
        "日本",
        " ",
        "  ",
        "\n",
        "\n\n\n",
        "x",
        "</s>",
        "<s>",
        "<",
        "word",
        "1",
    ];
    for pre in PRES {
        let file = with_added(pre).file();
        let mut memory = Vec::new();
        let both = Both::new(&file, &mut memory);
        for _ in 0..50 {
            let text = numbers.text(&pieces, 12);
            both.ids(&text, Special::Parse);
            both.ids(&text, Special::Plain);
        }
        assert_eq!(both.ids("<s></s>", Special::Parse), [1, 2]);
        assert!(both.ids("<s></s>", Special::Plain).len() > 2);
    }
}

#[test]
fn a_prompt_begins_with_the_leading_token_once() {
    for (add_bos, pre, leads) in [
        (Some(true), "gpt-2", true),
        (Some(false), "llama-bpe", false),
        (None, "gpt-2", false),
        (None, "llama-bpe", true),
    ] {
        let mut vocabulary = Vocabulary { pre, ..Vocabulary::bundled() };
        vocabulary.keys.extend(add_bos.map(|add| ("add_bos_token", Value::Bool(add))));
        let file = vocabulary.file();
        let mut memory = Vec::new();
        let both = Both::new(&file, &mut memory);
        assert_eq!(both.ours.bos(), Some(1));
        assert_eq!(both.ours.leading_token(), leads.then_some(1));
        let words = both.ids("a b", Special::Parse);
        let first: &[u32] = if leads { &[1] } else { &[] };
        assert_eq!(both.prompt("a b"), [first, &words].concat());
        assert_eq!(both.prompt("<s>a b"), [&[1], &words[..]].concat());
        assert_eq!(both.prompt("<s><s>"), [1, 1]);
        assert_eq!(both.prompt(""), first);
    }
}

/// Keys in every combination, of every width, of tokens that are not there: what stands around a
/// prompt, and where a generation ends.
#[test]
fn keys_mean_what_they_mean_to_the_other_tokenizer() {
    let id = |numbers: &mut Numbers| match numbers.below(6) {
        0 => Value::I32(-1),
        1 => Value::U64(5000),
        2 => Value::I64(2),
        3 => Value::U8(1),
        _ => Value::U32(numbers.below(1024) as u32),
    };
    let mut numbers = Numbers(4);
    let (mut refused, mut leading, mut trailing) = (0, 0, 0);
    for round in 0..300 {
        let pre = PRES[round % PRES.len()];
        let mut vocabulary = Vocabulary { pre, keys: vec![], ..with_added(pre) };
        for key in ["bos_token_id", "eos_token_id", "eot_token_id", "eom_token_id"] {
            if numbers.below(2) == 0 {
                vocabulary.keys.push((key, id(&mut numbers)));
            }
        }
        for key in ["add_bos_token", "add_eos_token"] {
            match numbers.below(4) {
                0 => vocabulary.keys.push((key, Value::Bool(true))),
                1 => vocabulary.keys.push((key, Value::U8(numbers.below(2) as u8))),
                _ => {}
            }
        }
        if numbers.below(3) == 0 {
            vocabulary.types.clear();
        }
        if numbers.below(3) == 0 {
            vocabulary.list = Some(vec![numbers.below(1024) as u32, 2000]);
        }
        for (at, end) in [(700, "<|im_end|>"), (701, "<|eot_id|>"), (702, "<|assistant_end|>")] {
            if numbers.below(2) == 0 {
                vocabulary.tokens[at] = end.into();
            }
        }
        vocabulary.merges.clear();
        let file = vocabulary.file();
        let gguf = Gguf::parse(&file).unwrap();
        let mut memory = vec![0; Bpe::memory_len(&gguf).unwrap()];
        let (ours, other) = match (Bpe::new(&gguf, &mut memory), Tokenizer::from_gguf(&gguf)) {
            (Ok(ours), Ok(other)) => (ours, other),
            (Err(_), Err(_)) => {
                refused += 1;
                continue;
            }
            (ours, other) => panic!("{:?} {:?}", ours.err(), other.err()),
        };
        let both = Both { ours, other };
        for id in 0..1100 {
            assert_eq!(both.ours.is_end(id), both.other.is_end(id), "{id} {:?}", vocabulary.keys);
        }
        let bare = both.ids("a b", Special::Parse);
        let ids = both.prompt("a b");
        leading += usize::from(ids[0] != bare[0]);
        trailing += usize::from(ids.last() != bare.last());
        for text in ["", "<s>a", "<s>", "a</s>", "</s>", "<s></s>", "x<|im_end|>"] {
            both.prompt(text);
        }
    }
    assert!(refused > 5 && leading > 20 && trailing > 20, "{refused} {leading} {trailing}");
}

#[test]
fn a_stream_of_every_token_is_as_the_lossy_conversion() {
    let file = with_added("gpt-2").file();
    let mut memory = Vec::new();
    let both = Both::new(&file, &mut memory);
    let mut numbers = Numbers(3);
    let count = both.ours.vocab_size() as u32;
    let random = (0..5000).map(|_| numbers.below(count as usize) as u32);
    let ids: Vec<u32> = (0..count).chain((0..count).rev()).chain(random).collect();
    let (mut stream, mut text, mut bytes) = (Utf8Stream::default(), String::new(), Vec::new());
    for &id in &ids {
        both.ours.token(id).unwrap().for_each(|byte| {
            stream.push(byte, &mut |s| text += s);
            bytes.push(byte);
        });
    }
    stream.finish(&mut |s| text += s);
    assert_eq!(text, String::from_utf8_lossy(&bytes));
    assert!(text.contains('\u{fffd}'));
    assert_eq!(
        both.ours.token(count).err(),
        Some(Error::Token { id: count, vocab_size: count as usize })
    );
}

#[test]
fn a_word_of_a_megabyte_takes_no_time_squared() {
    let mut vocabulary = Vocabulary::bytes();
    for n in 0..12 {
        let half = "a".repeat(1 << n);
        vocabulary.tokens.push(format!("{half}{half}"));
        vocabulary.merges.push(format!("{half} {half}"));
    }
    let file = vocabulary.file();
    let mut memory = Vec::new();
    let both = Both::new(&file, &mut memory);
    let text = "a".repeat((1 << 20) + 5);
    let ids = encoded(|work, out| both.ours.encode(&text, Special::Plain, work, out), &text);
    // 256 of the longest, then 4 and 1.
    assert_eq!(ids.len(), 258);
}

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

/// Integers of any width, as writers of files differ.
#[test]
fn types_are_read_whatever_their_width() {
    let vocabulary = Vocabulary::bundled();
    let types: Vec<u32> = vocabulary.types.iter().map(|&t| t as u32).collect();
    let mut writer = GgufWriter::new();
    writer.pair("tokenizer.ggml.model", Value::Str("gpt2")).unwrap();
    writer.strings("tokenizer.ggml.tokens", &vocabulary.tokens).unwrap();
    writer.u32s("tokenizer.ggml.token_type", &types).unwrap();
    let file = writer.begin(Vec::new()).unwrap().finish().unwrap();
    let gguf = Gguf::parse(&file).unwrap();
    let mut memory = vec![0; Bpe::memory_len(&gguf).unwrap()];
    let bpe = Bpe::new(&gguf, &mut memory).unwrap();
    assert!(bpe.is_control(1) && !bpe.is_control(300));
}
