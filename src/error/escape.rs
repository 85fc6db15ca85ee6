//! Text from files, made safe to print: a name in a model must not move the cursor, change a
//! terminal's title or reorder what is printed beside it.

use core::fmt::{self, Write};

/// `text` with `\u{..}` in place of control characters, line ends among them, and of characters
/// that are invisible or reorder others. [`Display`](fmt::Display) writes it.
pub const fn escaped(text: &str) -> Escaped<'_> {
    Escaped { text, is_hidden: is_hidden_in_names }
}

/// As [`escaped`], for texts of several lines: ends of lines and tabs stay, and so do the joiners
/// and marks that some scripts are written with.
pub const fn escaped_lines(text: &str) -> Escaped<'_> {
    Escaped { text, is_hidden: is_hidden_in_texts }
}

/// What [`escaped`] and [`escaped_lines`] return.
#[derive(Clone, Copy)]
pub struct Escaped<'t> {
    text: &'t str,
    is_hidden: fn(char) -> bool,
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_escaped(self.text, self.is_hidden, f)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Escaped<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        for c in self.text.chars() {
            if (self.is_hidden)(c) {
                defmt::write!(f, "\\u{{{=u32:x}}}", u32::from(c));
            } else {
                defmt::write!(f, "{=char}", c);
            }
        }
    }
}

impl fmt::Debug for Escaped<'_> {
    /// In quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// A writer that escapes all that goes through it, as [`escaped`] does, on one line: for errors
/// that quote files, or errors of several lines.
#[cfg(any(test, feature = "std", feature = "tokenizer"))]
pub(crate) struct Escaping<W>(pub(crate) W);

#[cfg(any(test, feature = "std", feature = "tokenizer"))]
impl<W: Write> Write for Escaping<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for (i, line) in text.split('\n').enumerate() {
            if i > 0 {
                self.0.write_char(' ')?;
            }
            write_escaped(line, is_hidden_in_names, &mut self.0)?;
        }
        Ok(())
    }
}

fn write_escaped(text: &str, is_hidden: fn(char) -> bool, out: &mut impl Write) -> fmt::Result {
    for c in text.chars() {
        if is_hidden(c) {
            write!(out, "\\u{{{:x}}}", u32::from(c))?;
        } else {
            out.write_char(c)?;
        }
    }
    Ok(())
}

/// Characters that only format: invisible, joining, or setting the direction of what follows.
fn is_hidden_in_names(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// Control characters, and what overrides the direction of a whole passage.
fn is_hidden_in_texts(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::String;

    #[test]
    fn nothing_printed_controls_a_terminal() {
        let hostile = "a\u{1b}[31mb\u{9b}2J\u{7f}\r\n\t\u{202e}c";
        assert_eq!(
            format!("{}", escaped(hostile)),
            "a\\u{1b}[31mb\\u{9b}2J\\u{7f}\\u{d}\\u{a}\\u{9}\\u{202e}c"
        );
        assert_eq!(
            format!("{}", escaped_lines(hostile)),
            "a\\u{1b}[31mb\\u{9b}2J\\u{7f}\\u{d}\n\t\\u{202e}c"
        );
        for c in '\0'..=char::MAX {
            let text = format!("{}", escaped(c.encode_utf8(&mut [0; 4])));
            assert!(text.chars().all(|c| !c.is_control()), "{text}");
            assert_eq!(text, format!("{}", escaped(&text)), "once is enough");
        }
        let plain = "blk.0.ffn_up.weight “Ünï” 文字 \\u{1b} 👍🏽";
        assert_eq!(format!("{}", escaped(plain)), plain);
        assert_eq!(format!("{:?}", escaped("x\0")), "\"x\\u{0}\"");
        let mut out = String::new();
        write!(Escaping(&mut out), "{hostile}").unwrap();
        assert_eq!(out, "a\\u{1b}[31mb\\u{9b}2J\\u{7f}\\u{d} \\u{9}\\u{202e}c");
    }
}
