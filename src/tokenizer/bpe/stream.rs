//! Bytes that arrive in pieces, as text.

use core::str;

/// What follows, when bytes are no UTF-8.
const REPLACEMENT: &str = "\u{fffd}";

/// Holds back the beginning of a character until its end arrives. What can never become one is
/// replaced by U+FFFD, as [`String::from_utf8_lossy`] does, whatever the pieces.
///
/// [`String::from_utf8_lossy`]: https://doc.rust-lang.org/std/string/struct.String.html
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Utf8Stream {
    held: [u8; 4],
    len: u8,
}

impl Utf8Stream {
    /// A stream that has [`Utf8Stream::held`] these bytes; `None` if it could not have.
    pub fn of_held(bytes: &[u8]) -> Option<Self> {
        let mut stream = Utf8Stream::default();
        let mut written = false;
        bytes.iter().for_each(|&byte| stream.push(byte, &mut |_| written = true));
        (!written).then_some(stream)
    }

    /// The bytes of a character that is not whole: at most 3.
    pub fn held(&self) -> &[u8] {
        self.held.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Takes one byte; calls `write` with what it completes.
    pub fn push(&mut self, byte: u8, write: &mut dyn FnMut(&str)) {
        if let Some(end) = self.held.get_mut(usize::from(self.len)) {
            *end = byte;
            self.len += 1;
        }
        match str::from_utf8(self.held()) {
            Ok(text) => {
                write(text);
                self.len = 0;
            }
            Err(e) if e.error_len().is_some() => {
                // All but the last byte were the beginning of a character: if they are not any
                // more, it is the last that does not continue it, and begins anew.
                let anew = self.len > 1;
                self.len = 0;
                write(REPLACEMENT);
                if anew {
                    self.push(byte, write);
                }
            }
            Err(_) => {}
        }
    }

    /// The end: calls `write` with U+FFFD if a character is not whole.
    pub fn finish(&mut self, write: &mut dyn FnMut(&str)) {
        if self.len > 0 {
            write(REPLACEMENT);
        }
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;
    use std::vec::Vec;

    fn streamed(bytes: &[u8]) -> String {
        let (mut stream, mut text) = (Utf8Stream::default(), String::new());
        for &byte in bytes {
            stream.push(byte, &mut |s| text += s);
        }
        stream.finish(&mut |s| text += s);
        text
    }

    #[test]
    fn every_short_sequence_is_as_the_lossy_conversion() {
        // Bytes of every kind: ASCII, continuations of every range, heads of 2, 3 and 4, never.
        let kinds = [
            0x41, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc3, 0xe0, 0xe2, 0xed, 0xf0, 0xf1,
            0xf4, 0xf5, 0xff,
        ];
        let mut sequences: Vec<Vec<u8>> = std::vec![std::vec![]];
        for _ in 0..4 {
            sequences = sequences
                .iter()
                .flat_map(|s| kinds.iter().map(move |&k| [&s[..], &[k]].concat()))
                .collect();
            for sequence in &sequences {
                assert_eq!(streamed(sequence), String::from_utf8_lossy(sequence), "{sequence:x?}");
            }
        }
    }

    #[test]
    fn what_is_held_makes_the_stream_again() {
        let mut stream = Utf8Stream::default();
        "🙂".bytes().take(3).for_each(|b| stream.push(b, &mut |_| panic!()));
        assert_eq!(Utf8Stream::of_held(stream.held()), Some(stream));
        assert_eq!(Utf8Stream::of_held(b"a"), None);
        assert_eq!(Utf8Stream::of_held(&[0xff]), None);
        assert_eq!(Utf8Stream::of_held(&[0xe2, 0x82]).map(|s| s.held().len()), Some(2));
    }
}
