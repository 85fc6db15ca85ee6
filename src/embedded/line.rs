//! A line as it is typed on a terminal without an editor of its own.

use heapless::Vec;

/// What a byte did to the line: what the terminal must show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Edit {
    /// It was added: the terminal shows it.
    Added,
    /// One character was taken away.
    Erased,
    /// All characters were, so many.
    Cleared(usize),
    /// There is no room for it.
    Full,
    /// Nothing that a line can hold, or nothing to take away.
    Ignored,
    /// The line is finished.
    Entered,
    /// The end of the input (Ctrl-D) in an empty line.
    Ended,
}

/// At most `N` bytes of UTF-8. Backspace and delete take a character away, Ctrl-U and Ctrl-C all;
/// CR, LF and CR LF finish the line; Ctrl-D in an empty line is the end. Escape sequences (cursor
/// keys) are left out.
#[derive(Clone, Debug, Default)]
pub struct Line<const N: usize> {
    bytes: Vec<u8, N>,
    /// After CR, LF is not another end.
    after_cr: bool,
    escape: Escape,
}

/// Where in an escape sequence the input is.
#[derive(Clone, Copy, Debug, Default)]
enum Escape {
    #[default]
    Not,
    Begun,
    /// In `ESC [ parameters letter`, or before the letter of `ESC O letter`.
    Inside,
}

const CTRL_C: u8 = 0x03;
const CTRL_D: u8 = 0x04;
const BACKSPACE: u8 = 0x08;
const CTRL_U: u8 = 0x15;
const ESC: u8 = 0x1b;
const DELETE: u8 = 0x7f;

impl<const N: usize> Line<N> {
    /// An empty line.
    pub const fn new() -> Self {
        Line { bytes: Vec::new(), after_cr: false, escape: Escape::Not }
    }

    /// What was typed, unless it is no UTF-8.
    pub fn text(&self) -> Option<&str> {
        core::str::from_utf8(&self.bytes).ok()
    }

    /// Begins another line.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Takes a byte.
    pub fn push(&mut self, byte: u8) -> Edit {
        let after_cr = core::mem::replace(&mut self.after_cr, byte == b'\r');
        if self.is_escaped(byte) {
            return Edit::Ignored;
        }
        match byte {
            b'\n' if after_cr => Edit::Ignored,
            b'\r' | b'\n' => Edit::Entered,
            CTRL_D if self.bytes.is_empty() => Edit::Ended,
            BACKSPACE | DELETE => self.erase(),
            CTRL_U | CTRL_C => {
                let characters = self.bytes.iter().filter(|&&byte| begins(byte)).count();
                self.bytes.clear();
                Edit::Cleared(characters)
            }
            ..b' ' => Edit::Ignored,
            byte => match self.bytes.push(byte) {
                Ok(()) => Edit::Added,
                Err(_) => Edit::Full,
            },
        }
    }

    fn erase(&mut self) -> Edit {
        while let Some(byte) = self.bytes.pop() {
            if begins(byte) {
                return Edit::Erased;
            }
        }
        Edit::Ignored
    }

    /// Whether a byte belongs to an escape sequence.
    fn is_escaped(&mut self, byte: u8) -> bool {
        let (is, next) = match (self.escape, byte) {
            (Escape::Not, ESC) => (true, Escape::Begun),
            (Escape::Not, _) => (false, Escape::Not),
            (Escape::Begun, b'[' | b'O') => (true, Escape::Inside),
            // Alt and a letter; a control character is one all the same.
            (Escape::Begun, _) => (byte >= b' ', Escape::Not),
            (Escape::Inside, b'0'..=b'?') => (true, Escape::Inside),
            (Escape::Inside, _) => (true, Escape::Not),
        };
        self.escape = next;
        is
    }
}

/// Whether a byte is the first of a character.
const fn begins(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(bytes: &[u8]) -> (Line<8>, Edit) {
        let mut line = Line::new();
        let mut last = Edit::Ignored;
        for &byte in bytes {
            last = line.push(byte);
        }
        (line, last)
    }

    #[test]
    fn characters_come_and_go_whole() {
        let (line, last) = typed("aß€\x7f".as_bytes());
        assert_eq!((line.text(), last), (Some("aß"), Edit::Erased));
        let (line, last) = typed("aß\x08\x08\x08".as_bytes());
        assert_eq!((line.text(), last), (Some(""), Edit::Ignored));
        assert_eq!(typed("aß€\x15".as_bytes()).1, Edit::Cleared(3));
        assert_eq!(typed(b"12345678").1, Edit::Added);
        let (line, last) = typed(b"123456789");
        assert_eq!((line.text(), last), (Some("12345678"), Edit::Full));
    }

    #[test]
    fn a_line_ends_once() {
        for (input, ends) in [("a\n", 1), ("a\r", 1), ("a\r\n", 1), ("a\n\n", 2), ("\r\r\n\n", 3)] {
            let mut line = Line::<8>::new();
            let entered = input.bytes().filter(|&byte| line.push(byte) == Edit::Entered).count();
            assert_eq!(entered, ends, "{input:?}");
        }
        assert_eq!(typed(b"\x04").1, Edit::Ended);
        assert_eq!(typed(b"a\x04").1, Edit::Ignored);
    }

    #[test]
    fn cursor_keys_leave_nothing() {
        let (line, _) = typed(b"a\x1b[1;5Db\x1bOPc\x1bxd\t");
        assert_eq!(line.text(), Some("abcd"));
        assert_eq!(typed(b"a\x1b\r").1, Edit::Entered);
        assert_eq!(typed(&[0xff]).0.text(), None);
    }
}
