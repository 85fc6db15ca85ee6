//! What goes to a terminal: nothing in it controls the terminal but ends of lines and tabs.

use std::fmt::Arguments;
use std::io::{self, Write};

use xielu::escaped_lines;

/// Writes formatted text escaped; bytes as they are.
pub struct Escaping<W>(pub W);

impl<W: Write> Write for Escaping<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }

    fn write_fmt(&mut self, text: Arguments<'_>) -> io::Result<()> {
        write!(self.0, "{}", escaped_lines(&text.to_string()))
    }
}
