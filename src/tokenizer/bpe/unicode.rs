//! What pre-tokenizers need of characters: Unicode's general category, coarsely, and white space.

use super::table::{FIRST_OF, RUNS};

/// General categories, as far as pre-tokenizers tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Symbols, separators, controls, what is not assigned.
    Other,
    /// Lu and Lt.
    Upper,
    /// Ll.
    Lower,
    /// Lm and Lo: letters without case.
    Caseless,
    /// M.
    Mark,
    /// N.
    Number,
    /// P.
    Punctuation,
}

/// Runs between two places of [`FIRST_OF`].
#[cfg(all(test, feature = "tokenizer"))]
pub(super) const RUNS_PER_PLACE: usize = 32;
/// In the low bits of a run: a [`Class`], or upper and lower case by turns, either first.
pub(super) const CLASS_BITS: u32 = 4;
pub(super) const UPPER_FIRST: u8 = 7;
pub(super) const LOWER_FIRST: u8 = 8;

/// The class of a character.
pub(super) fn class(c: char) -> Class {
    match c {
        'a'..='z' => Class::Lower,
        'A'..='Z' => Class::Upper,
        '0'..='9' => Class::Number,
        '\0'..=' ' => Class::Other,
        _ => looked_up(c as u32),
    }
}

fn looked_up(c: u32) -> Class {
    let place = FIRST_OF.partition_point(|&(first, _)| first <= c).saturating_sub(1);
    let (mut first, at) = FIRST_OF.get(place).copied().unwrap_or_default();
    let mut runs = RUNS.get(usize::from(at)..).unwrap_or_default();
    while let Some((class, length, rest)) = run(runs) {
        // `c` is never before the run.
        let into = c - first;
        if into < length {
            return of_number(class, into);
        }
        first = first.saturating_add(length);
        runs = rest;
    }
    Class::Other
}

/// One run: its class, its length, and what follows it. A length of 0 says that two bytes hold it.
fn run(bytes: &[u8]) -> Option<(u8, u32, &[u8])> {
    let (head, rest) = bytes.split_first()?;
    let class = head & ((1 << CLASS_BITS) - 1);
    match head >> CLASS_BITS {
        0 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            Some((class, u16::from_le_bytes(*length).into(), rest))
        }
        length => Some((class, length.into(), rest)),
    }
}

fn of_number(class: u8, into: u32) -> Class {
    let odd = into & 1 == 1;
    match class {
        1 => Class::Upper,
        2 => Class::Lower,
        3 => Class::Caseless,
        4 => Class::Mark,
        5 => Class::Number,
        6 => Class::Punctuation,
        UPPER_FIRST => {
            if odd {
                Class::Lower
            } else {
                Class::Upper
            }
        }
        LOWER_FIRST => {
            if odd {
                Class::Upper
            } else {
                Class::Lower
            }
        }
        _ => Class::Other,
    }
}

/// `\p{L}`.
pub(super) fn is_letter(c: char) -> bool {
    matches!(class(c), Class::Upper | Class::Lower | Class::Caseless)
}

/// `\p{N}`.
pub(super) fn is_number(c: char) -> bool {
    class(c) == Class::Number
}

/// `\s`: the property White_Space, as Rust has it.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace()
}

/// `[^\s\p{L}\p{N}]`.
pub(super) fn is_symbol(c: char) -> bool {
    !is_space(c) && !is_letter(c) && !is_number(c)
}
