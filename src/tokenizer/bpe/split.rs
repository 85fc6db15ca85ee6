//! How text is cut into words before merging: the regular expressions of well-known tokenizers,
//! written out, so that no engine for them is needed. Each function says which it is.

use super::unicode::{Class, class, is_letter, is_number, is_space, is_symbol};
use crate::Error;

/// A way to cut text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tokenizer) enum Split {
    /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`.
    Gpt2,
    /// `\p{N}` first, each alone; GPT-2's between them.
    NumbersAlone,
    /// `[\p{P}\$\+<=>\^~\|]+` first; GPT-2's between them; of these, `\p{N}+`; of these,
    /// `[0-9][0-9][0-9]`.
    Punctuation,
    /// Words with one character before them, numbers of up to three digits, white space by lines.
    Llama3,
    /// The same with digits alone.
    Qwen2,
    /// Words that end where their case rises; digits alone.
    Tekken,
    /// The same with the end of `I'll` in the word, and numbers of up to three digits.
    Gpt4o,
}

/// What the expressions from Llama 3's on differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Words {
    /// Whether a word ends where its case changes from lower to upper:
    /// `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+` or
    /// `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*`. Otherwise
    /// `[^\r\n\p{L}\p{N}]?\p{L}+`.
    cased: bool,
    /// The place of `(?i:'s|'t|'re|'ve|'m|'ll|'d)` in the pattern.
    contractions: Contractions,
    /// `\p{N}{1,n}`.
    digits: usize,
    /// Whether `/` may be among the line ends that follow symbols.
    slash: bool,
}

/// Whether `'s` and its like are words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contractions {
    /// They are cut as other text.
    None,
    /// Words of their own.
    Apart,
    /// The end of the word before them.
    Attached,
}

const LLAMA_3: Words =
    Words { cased: false, contractions: Contractions::Apart, digits: 3, slash: false };
const QWEN_2: Words = Words { digits: 1, ..LLAMA_3 };
const TEKKEN: Words =
    Words { cased: true, contractions: Contractions::None, digits: 1, slash: true };
const GPT_4O: Words = Words { contractions: Contractions::Attached, digits: 3, ..TEKKEN };

/// What is done with each word, in order.
type Each<'f> = &'f mut dyn FnMut(&str) -> Result<(), Error>;

impl Split {
    /// Calls `each` with the words of `text`, which together are the text.
    pub(super) fn words(self, text: &str, each: Each<'_>) -> Result<(), Error> {
        match self {
            Split::Gpt2 => cut(text, gpt2, each),
            Split::NumbersAlone => alone(text, is_number, 1, &mut |piece, number| match number {
                true => each(piece),
                false => cut(piece, gpt2, each),
            }),
            Split::Punctuation => alone(text, is_marked_off, usize::MAX, &mut |piece, _| {
                cut(piece, gpt2, &mut |word| {
                    alone(word, is_number, usize::MAX, &mut |piece, number| match number {
                        true => digits_by_three(piece, each),
                        false => each(piece),
                    })
                })
            }),
            Split::Llama3 => cut(text, |text| LLAMA_3.first(text), each),
            Split::Qwen2 => cut(text, |text| QWEN_2.first(text), each),
            Split::Tekken => cut(text, |text| TEKKEN.first(text), each),
            Split::Gpt4o => cut(text, |text| GPT_4O.first(text), each),
        }
    }
}

/// Cuts `text` into what `first` says is the length of its first word.
fn cut(text: &str, first: impl Fn(&str) -> usize, each: Each<'_>) -> Result<(), Error> {
    let mut rest = text;
    while !rest.is_empty() {
        let (word, after) = rest.split_at_checked(first(rest)).unwrap_or((rest, ""));
        // No expression matches nothing; a loop must not depend on it.
        let (word, after) = if word.is_empty() { (rest, "") } else { (word, after) };
        each(word)?;
        rest = after;
    }
    Ok(())
}

/// Cuts `text` into runs of at most `most` characters that are `wanted`, and the text between them.
fn alone(
    text: &str,
    wanted: impl Fn(char) -> bool,
    most: usize,
    each: &mut dyn FnMut(&str, bool) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut rest = text;
    while !rest.is_empty() {
        let between = run(rest, |c| !wanted(c));
        let (piece, is_wanted) = match between {
            0 => (run_of(rest, most, &wanted), true),
            n => (n, false),
        };
        let (piece, after) = rest.split_at_checked(piece).unwrap_or((rest, ""));
        each(piece, is_wanted)?;
        rest = after;
    }
    Ok(())
}

/// `[0-9][0-9][0-9]`, and the text between them, of numbers.
fn digits_by_three(text: &str, each: Each<'_>) -> Result<(), Error> {
    let three = |text: &str| {
        let (digits, _) = text.as_bytes().split_first_chunk::<3>()?;
        digits.iter().all(u8::is_ascii_digit).then_some(3)
    };
    cut(
        text,
        |text| {
            three(text).unwrap_or_else(|| {
                let mut chars = text.chars();
                while !chars.as_str().is_empty() && three(chars.as_str()).is_none() {
                    chars.next();
                }
                text.len() - chars.as_str().len()
            })
        },
        each,
    )
}

/// `[\p{P}\$\+<=>\^~\|]`.
fn is_marked_off(c: char) -> bool {
    class(c) == Class::Punctuation || matches!(c, '$' | '+' | '<' | '=' | '>' | '^' | '~' | '|')
}

fn first_char(text: &str) -> Option<char> {
    text.chars().next()
}

/// Bytes of the first characters that are `wanted`, all of them.
fn run(text: &str, wanted: impl Fn(char) -> bool) -> usize {
    run_of(text, usize::MAX, wanted)
}

/// Bytes of the first characters that are `wanted`, at most `most`.
fn run_of(text: &str, most: usize, wanted: impl Fn(char) -> bool) -> usize {
    text.chars().take(most).take_while(|&c| wanted(c)).map(char::len_utf8).sum()
}

/// What follows the first `n` bytes.
fn after(text: &str, n: usize) -> &str {
    text.get(n..).unwrap_or_default()
}

/// See [`Split::Gpt2`].
fn gpt2(text: &str) -> usize {
    if let Some(n) = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"]
        .into_iter()
        .find(|short| text.starts_with(short))
        .map(str::len)
    {
        return n;
    }
    let word = text.strip_prefix(' ').unwrap_or(text);
    let length = match first_char(word) {
        Some(c) if is_letter(c) => run(word, is_letter),
        Some(c) if is_number(c) => run(word, is_number),
        Some(c) if is_symbol(c) => run(word, is_symbol),
        _ => return spaces(text),
    };
    text.len() - word.len() + length
}

/// `\s+(?!\S)|\s+`: the last of several spaces belongs to the word that follows.
fn spaces(text: &str) -> usize {
    let all = run(text, is_space);
    let last = text.get(..all).and_then(|run| run.chars().next_back());
    match last {
        Some(last) if all < text.len() && all > last.len_utf8() => all - last.len_utf8(),
        _ => all,
    }
}

/// `\s*[\r\n]+|\s+(?!\S)|\s+`.
fn spaces_by_lines(text: &str) -> usize {
    let run = text.get(..run(text, is_space)).unwrap_or_default();
    run.rfind(['\r', '\n']).map_or_else(|| spaces(text), |at| at + 1)
}

/// `(?i:'s|'t|'re|'ve|'m|'ll|'d)`: its length, or 0. Folding case makes U+017F an s.
fn contraction(text: &str) -> usize {
    let mut chars = text.chars();
    if chars.next() != Some('\'') {
        return 0;
    }
    let (first, second) = (chars.next(), chars.clone().next());
    let folded = |c: Option<char>| c.map(|c| if c == 'ſ' { 's' } else { c.to_ascii_lowercase() });
    match (folded(first), folded(second)) {
        (Some('s' | 't' | 'm' | 'd'), _) => {}
        (Some('r' | 'v'), Some('e')) | (Some('l'), Some('l')) => {
            chars.next();
        }
        _ => return 0,
    }
    text.len() - chars.as_str().len()
}

/// `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`.
fn is_upper(c: char) -> bool {
    matches!(class(c), Class::Upper) || is_either(c)
}

/// `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`.
fn is_lower(c: char) -> bool {
    matches!(class(c), Class::Lower) || is_either(c)
}

/// `[\p{Lm}\p{Lo}\p{M}]`: what both of the above have.
fn is_either(c: char) -> bool {
    matches!(class(c), Class::Caseless | Class::Mark)
}

/// `[upper]*[lower]+`, greedy: its length. The first part gives back what the second needs.
fn ends_lower(text: &str) -> Option<usize> {
    let upper = run(text, is_upper);
    let lower = run(after(text, upper), is_lower);
    if lower > 0 {
        return Some(upper + lower);
    }
    let run = text.get(..upper)?;
    run.char_indices().rfind(|&(_, c)| is_either(c)).map(|(at, c)| at + c.len_utf8())
}

/// `[upper]+[lower]*`, greedy: its length.
fn begins_upper(text: &str) -> Option<usize> {
    let upper = run(text, is_upper);
    (upper > 0).then(|| upper + run(after(text, upper), is_lower))
}

/// `\p{L}+`: its length.
fn letters(text: &str) -> Option<usize> {
    Some(run(text, is_letter)).filter(|&n| n > 0)
}

/// `[^\r\n\p{L}\p{N}]?` and what `word` measures.
fn with_one_before(text: &str, word: fn(&str) -> Option<usize>) -> Option<usize> {
    let before =
        first_char(text).filter(|&c| !matches!(c, '\r' | '\n') && !is_letter(c) && !is_number(c));
    let before = before.map_or(0, char::len_utf8);
    let with = (before > 0).then(|| word(after(text, before))).flatten();
    with.map(|n| before + n).or_else(|| word(text))
}

impl Words {
    /// The length of the first word.
    fn first(self, text: &str) -> usize {
        if self.contractions == Contractions::Apart {
            let n = contraction(text);
            if n > 0 {
                return n;
            }
        }
        let word = match self.cased {
            true => {
                with_one_before(text, ends_lower).or_else(|| with_one_before(text, begins_upper))
            }
            false => with_one_before(text, letters),
        };
        if let Some(n) = word {
            let attached = self.contractions == Contractions::Attached;
            return if attached { n + contraction(after(text, n)) } else { n };
        }
        let numbers = run_of(text, self.digits, is_number);
        if numbers > 0 {
            return numbers;
        }
        let symbols = text.strip_prefix(' ').unwrap_or(text);
        let n = run(symbols, is_symbol);
        if n > 0 {
            let ends = |c| matches!(c, '\r' | '\n') || (self.slash && c == '/');
            return text.len() - symbols.len() + n + run(after(symbols, n), ends);
        }
        spaces_by_lines(text)
    }
}
