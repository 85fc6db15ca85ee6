//! The words are those of the regular expressions, and the classes those of their engine.

use std::format;
use std::string::String;
use std::vec::Vec;

use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::utils::SysRegex;
use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

use super::pre;
use super::unicode::{CLASS_BITS, LOWER_FIRST, RUNS_PER_PLACE, UPPER_FIRST, class, is_space};
use crate::tokenizer::pre as recipes;

/// By the number of their class.
const CLASSES: [&str; 7] = [
    r"[^\p{L}\p{M}\p{N}\p{P}]",
    r"[\p{Lu}\p{Lt}]",
    r"\p{Ll}",
    r"[\p{Lm}\p{Lo}]",
    r"\p{M}",
    r"\p{N}",
    r"\p{P}",
];

fn all() -> impl Iterator<Item = char> {
    '\0'..=char::MAX
}

/// What a regular expression of one character matches, of all characters.
fn matched(regex: &str) -> Vec<char> {
    let text: String = all().collect();
    let runs = SysRegex::new(&format!("(?:{regex})+")).unwrap();
    runs.find_iter(&text).flat_map(|(from, to)| text[from..to].chars()).collect()
}

/// The number of every code point's class; surrogates are no characters.
fn classes() -> Vec<u8> {
    let mut classes = std::vec![0; char::MAX as usize + 1];
    for (number, regex) in (0u8..).zip(CLASSES) {
        matched(regex).into_iter().for_each(|c| classes[c as usize] = number);
    }
    classes
}

#[test]
fn every_character_is_of_the_class_that_regular_expressions_say() {
    let classes = classes();
    for c in all() {
        assert_eq!(class(c) as u8, classes[c as usize], "{c:?}");
    }
    let spaces = matched(r"\s");
    assert!(all().filter(|&c| is_space(c)).eq(spaces));
}

/// Where a run begins, how long it is, and its class.
fn runs(classes: &[u8]) -> Vec<(usize, usize, u8)> {
    let end = classes.iter().rposition(|&class| class != 0).unwrap() + 1;
    let longest = |from: usize, same: &dyn Fn(usize) -> bool| {
        let most = end.min(from + usize::from(u16::MAX));
        (from + 1..most).find(|&at| !same(at)).unwrap_or(most) - from
    };
    let mut runs = Vec::new();
    let mut at = 0;
    while at < end {
        let turns = match classes[at] {
            1 | 2 => longest(at, &|i| classes[i] == 3 - classes[i - 1].min(3)),
            _ => 1,
        };
        let (length, class) = match (turns, classes[at]) {
            (3.., 1) => (turns, UPPER_FIRST),
            (3.., _) => (turns, LOWER_FIRST),
            (_, class) => (longest(at, &|i| classes[i] == class), class),
        };
        runs.push((at, length, class));
        at += length;
    }
    runs
}

/// `items`, so many in a line.
fn lines(items: &[String], per_line: usize) -> String {
    items.chunks(per_line).map(|line| format!("    {},\n", line.join(", "))).collect()
}

/// `XIELU_BLESS=1 cargo test --features tokenizer --lib bpe` writes it anew.
#[test]
fn the_table_is_made_from_them() {
    let (mut places, mut bytes) = (Vec::new(), Vec::new());
    for (number, (first, length, class)) in runs(&classes()).into_iter().enumerate() {
        if number % RUNS_PER_PLACE == 0 {
            places.push(format!("({first:#x}, {})", bytes.len()));
        }
        match u8::try_from(length).ok().filter(|&n| n < 1 << (8 - CLASS_BITS)) {
            Some(short) => bytes.push(format!("{}", short << CLASS_BITS | class)),
            None => {
                let [low, high] = u16::try_from(length).unwrap().to_le_bytes();
                bytes.extend([class, low, high].map(|byte| format!("{byte}")));
            }
        }
    }
    let table = format!(
        "//! General categories of all characters: see `unicode.rs`. Made by a test from what the \
         `tokenizers`\n//! crate's regular expressions take them for.\n\n\
         /// The first character of some runs, and where they are in [`RUNS`].\n\
         #[rustfmt::skip]\npub(super) static FIRST_OF: [(u32, u16); {}] = [\n{}];\n\n\
         /// Length and class of each run of characters, one after another.\n\
         #[rustfmt::skip]\npub(super) static RUNS: [u8; {}] = [\n{}];\n",
        places.len(),
        lines(&places, 5),
        bytes.len(),
        lines(&bytes, 20),
    );
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tokenizer/bpe/table.rs");
    if std::env::var_os("XIELU_BLESS").is_some() {
        std::fs::write(path, &table).unwrap();
    }
    assert!(std::fs::read_to_string(path).unwrap() == table, "table.rs is not what it is made of");
}

/// A text of characters that expressions tell apart, drawn by `seed`.
fn drawn(seed: u64) -> String {
    const ALPHABET: &str = "aabzABZ  \t\n\r\u{b}\u{a0}\u{2028}\u{3000}'''sSſtTrReEvVmMlLdD019½²٣Ⅻ\
        .,!?/-_$+<=>^~|`\"…«»¿€©😀👩\u{200d}\u{301}\u{fe0f}\u{5b0}éÉßǅǲʰªא日本어ㅋ가ىΣσçИи\0\u{7f}\
        \u{ad}\u{feff}";
    let letters: Vec<char> = ALPHABET.chars().collect();
    let mut noise = xielu_testing_base::noise::Noise::new(seed);
    let mut next = |n: usize| noise.below(n);
    let mut text = String::new();
    for _ in 0..1 + next(60) {
        let c = match next(8) {
            0 => char::from_u32(next(0x11_0000) as u32).unwrap_or('\u{fffd}'),
            _ => letters[next(letters.len())],
        };
        let times = if next(6) == 0 { next(6) } else { 1 };
        text.extend(core::iter::repeat_n(c, times));
    }
    text
}

#[test]
fn every_name_cuts_as_its_regular_expressions() {
    let torture = std::fs::read_to_string("tests/data/torture.txt").unwrap();
    let texts = torture.lines().map(String::from).chain([torture.clone()]);
    let texts: Vec<String> = texts.chain((0..4000).map(drawn)).collect();
    for pre in pre::ALL {
        let wrapper: PreTokenizerWrapper = recipes::find(pre.names[0]).unwrap().build().unwrap();
        for text in &texts {
            let mut pieces = PreTokenizedString::from(text.as_str());
            wrapper.pre_tokenize(&mut pieces).unwrap();
            let splits = pieces.get_splits(OffsetReferential::Original, OffsetType::Byte);
            let expected: Vec<&str> = splits.iter().map(|(_, (a, b), _)| &text[*a..*b]).collect();
            let mut words = Vec::new();
            let mut each = |word: &str| {
                words.push(String::from(word));
                Ok(())
            };
            pre.split.words(text, &mut each).unwrap();
            assert_eq!(words, expected, "{} {text:?}", pre.names[0]);
        }
    }
}
