//! Sentences made by a `const fn`, for the compiler to say: `core::fmt` cannot be used there.

/// Bytes of the longest sentence; what is longer is cut.
const LONGEST: usize = 256;

/// A sentence.
#[derive(Clone, Copy)]
pub(super) struct Message {
    bytes: [u8; LONGEST],
    len: usize,
}

impl Message {
    pub(super) const fn new(text: &str) -> Self {
        Message { bytes: [0; LONGEST], len: 0 }.text(text)
    }

    /// With `text` after what came before.
    pub(super) const fn text(mut self, text: &str) -> Self {
        let mut rest = text.as_bytes();
        while let Some((&first, after)) = rest.split_first() {
            self = self.byte(first);
            rest = after;
        }
        self
    }

    /// With `number` in decimal digits.
    pub(super) const fn number(self, number: usize) -> Self {
        let with_first = if number < 10 { self } else { self.number(number / 10) };
        with_first.byte(b'0' + (number % 10) as u8)
    }

    const fn byte(mut self, byte: u8) -> Self {
        if self.len < LONGEST {
            self.bytes[self.len] = byte;
            self.len += 1;
        }
        self
    }

    /// The sentence.
    pub(super) const fn as_str(&self) -> &str {
        let written = match self.bytes.split_at_checked(self.len) {
            Some((written, _)) => written,
            None => &[],
        };
        match core::str::from_utf8(written) {
            Ok(text) => text,
            Err(_) => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::String;

    #[test]
    fn numbers_are_decimal() {
        for number in [0, 7, 10, 99, 100, 65_536, usize::MAX] {
            let message = Message::new("a ").number(number).text(" b");
            assert_eq!(message.as_str(), format!("a {number} b"));
        }
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let long = String::from_iter(core::iter::repeat_n('x', LONGEST - 1));
        assert_eq!(Message::new(&long).number(123).as_str(), long + "1");
    }
}
