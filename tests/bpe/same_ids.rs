//! The ids of the `tokenizers` crate, and its texts.

use xielu::Error;
use xielu::checkpoint::gguf::Value;
use xielu::tokenizer::bpe::{Special, Utf8Stream};
use xielu_testing::in_repository;
use xielu_testing::noise::Noise;

use crate::vocabulary::{Both, PRES, Vocabulary, encoded};

fn read(path: &str) -> String {
    std::fs::read_to_string(in_repository(path)).unwrap()
}

#[test]
fn the_bundled_vocabulary_gives_the_same_ids_under_every_name() {
    let whole = [
        read("tests/data/torture.txt"),
        read("models/heldout.txt"),
        read("README.md"),
        read("src/llama/attention/group.rs"),
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

/// A text of few letters, so that much merges.
fn text(numbers: &mut Noise, letters: &[&str], longest: usize) -> String {
    let n = 1 + numbers.below(longest);
    (0..n).map(|_| letters[numbers.below(letters.len())]).collect()
}

/// Merges in an order that has nothing to do with lengths or ids, some twice, and tokens that
/// nothing merges into.
fn random_vocabulary(numbers: &mut Noise) -> Vocabulary {
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
        let token = text(numbers, &["a", "b", "Ġ", "1"], 6);
        if !vocabulary.tokens.contains(&token) {
            vocabulary.tokens.push(token);
        }
    }
    vocabulary.merges = merges;
    vocabulary
}

#[test]
fn random_merges_happen_in_the_same_order() {
    let mut numbers = Noise::new(1);
    for round in 0..150 {
        let pre = PRES[round % PRES.len()];
        let file = Vocabulary { pre, ..random_vocabulary(&mut numbers) }.file();
        let mut memory = Vec::new();
        let both = Both::new(&file, &mut memory);
        for _ in 0..40 {
            both.ids(&text(&mut numbers, &["a", "b", "a", "b", "é", " ", "1"], 60), Special::Parse);
        }
        both.ids(&text(&mut numbers, &["a", "b"], 4000), Special::Parse);
    }
}

#[test]
fn special_and_added_tokens_are_matched_as_they_stand() {
    let mut numbers = Noise::new(2);
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
        let file = Vocabulary::with_added(pre).file();
        let mut memory = Vec::new();
        let both = Both::new(&file, &mut memory);
        for _ in 0..50 {
            let text = text(&mut numbers, &pieces, 12);
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

#[test]
fn a_stream_of_every_token_is_as_the_lossy_conversion() {
    let file = Vocabulary::with_added("gpt-2").file();
    let mut memory = Vec::new();
    let both = Both::new(&file, &mut memory);
    let mut numbers = Noise::new(3);
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
