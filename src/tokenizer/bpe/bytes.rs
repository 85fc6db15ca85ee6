//! Bytes as byte-level vocabularies write them: every byte is a printable character.
//!
//! The bytes of printable Latin-1 stand for themselves; the others, in order, are the characters
//! from U+0100 on. Source: GPT-2's `bytes_to_unicode`.

/// Bytes that are not printable, up to the space.
const LOW: u32 = 0x21;
/// The others: from DEL to the no-break space, and the soft hyphen.
const DEL: u32 = 0x7f;
const NBSP: u32 = 0xa0;
const SOFT_HYPHEN: u32 = 0xad;
/// Where the characters of bytes that are not printable begin, by the kind of byte.
const FIRST: u32 = 0x100;
const FIRST_HIGH: u32 = FIRST + LOW;
const LAST: u32 = FIRST_HIGH + NBSP - DEL + 1;

/// The number of the character that stands for `byte`.
const fn char_of(byte: u8) -> u32 {
    match byte as u32 {
        b @ ..LOW => FIRST + b,
        b @ DEL..=NBSP => FIRST_HIGH + (b - DEL),
        SOFT_HYPHEN => LAST,
        b => b,
    }
}

/// The byte that `c` stands for.
pub(super) const fn byte_of(c: char) -> Option<u8> {
    let byte = match c as u32 {
        b @ FIRST..FIRST_HIGH => b - FIRST,
        b @ FIRST_HIGH..LAST => b - FIRST_HIGH + DEL,
        LAST => SOFT_HYPHEN,
        ..LOW | DEL..=NBSP | SOFT_HYPHEN | FIRST.. => return None,
        b => b,
    };
    Some(byte as u8)
}

/// `bytes` as a vocabulary writes them: UTF-8 of their characters.
pub(super) fn written(bytes: &[u8]) -> impl Iterator<Item = u8> + Clone + '_ {
    bytes.iter().flat_map(|&byte| {
        let c = char_of(byte);
        // No character is above U+07FF: one byte of UTF-8 or two.
        let first = if c < 0x80 { c } else { 0xc0 | c >> 6 };
        let second = (c >= 0x80).then_some(0x80 | c & 0x3f);
        core::iter::once(first as u8).chain(second.map(|b| b as u8))
    })
}

/// The bytes of one token: what its characters stand for or, where one of them stands for none
/// (special tokens), its text as it is.
#[derive(Clone, Debug)]
pub struct TokenBytes<'w> {
    /// Characters that stand for bytes.
    written: &'w str,
    /// Or text as it is.
    plain: &'w [u8],
}

impl<'w> TokenBytes<'w> {
    pub(in crate::tokenizer) fn new(text: &'w [u8]) -> Self {
        let written = core::str::from_utf8(text).ok();
        match written.filter(|text| text.chars().all(|c| byte_of(c).is_some())) {
            Some(written) => TokenBytes { written, plain: &[] },
            None => TokenBytes { written: "", plain: text },
        }
    }
}

impl Iterator for TokenBytes<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let mut chars = self.written.chars();
        if let Some(c) = chars.next() {
            self.written = chars.as_str();
            return byte_of(c);
        }
        let (first, rest) = self.plain.split_first()?;
        self.plain = rest;
        Some(*first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;
    use std::vec::Vec;

    #[test]
    fn every_byte_has_a_character_of_its_own() {
        let all: Vec<u8> = (0..=255).collect();
        let text = String::from_utf8(written(&all).collect()).unwrap();
        let back: Vec<u8> = text.chars().map(|c| byte_of(c).unwrap()).collect();
        assert_eq!(back, all);
        assert_eq!(text.chars().nth(0x20), Some('Ġ'));
        assert_eq!(text.chars().nth(0x0a), Some('Ċ'));
        assert_eq!(text.chars().nth(0xad), Some('Ń'));
        assert!(text.chars().all(|c| !c.is_control() && !c.is_whitespace()));
        let others = (0..0x300).filter_map(char::from_u32).filter(|&c| byte_of(c).is_some());
        assert_eq!(others.count(), 256);
    }

    #[test]
    fn tokens_that_are_not_byte_level_are_their_own_text() {
        let bytes = |text: &'static str| TokenBytes::new(text.as_bytes()).collect::<Vec<u8>>();
        assert_eq!(bytes("Ġ<Ċ"), b" <\n");
        assert_eq!(bytes("Ġ x"), "Ġ x".as_bytes());
        assert_eq!(bytes("日"), "日".as_bytes());
    }
}
