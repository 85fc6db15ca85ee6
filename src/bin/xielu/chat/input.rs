//! What the user types: lines with editing and history, or lines of a pipe.

use std::io::{BufRead as _, IsTerminal as _, stdin};

use anyhow::Context as _;
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use crate::interrupt;

/// What a text of many lines stands between.
const QUOTES: &str = "\"\"\"";

/// Where turns come from.
pub enum Input {
    Terminal(Box<DefaultEditor>),
    Pipe,
}

impl Input {
    pub fn new() -> anyhow::Result<Self> {
        if !stdin().is_terminal() {
            return Ok(Input::Pipe);
        }
        let editor = DefaultEditor::new().context("the terminal cannot be used")?;
        Ok(Input::Terminal(editor.into()))
    }

    pub const fn is_terminal(&self) -> bool {
        matches!(self, Input::Terminal(_))
    }

    /// The next turn, of one line or several; `None` at the end of the input.
    pub fn turn(&mut self) -> anyhow::Result<Option<String>> {
        let Some(first) = self.line("> ")? else { return Ok(None) };
        let turn = whole(first, || self.line("| "))?;
        if let Input::Terminal(editor) = self {
            // A turn that is not remembered is no reason to stop.
            let _ = editor.add_history_entry(&turn);
        }
        Ok(Some(turn))
    }

    fn line(&mut self, prompt: &str) -> anyhow::Result<Option<String>> {
        match self {
            Input::Terminal(editor) => match editor.readline(prompt) {
                Ok(line) => Ok(Some(line)),
                Err(ReadlineError::Eof) => Ok(None),
                Err(ReadlineError::Interrupted) => {
                    tell!("Ctrl-D ends");
                    Ok(Some(String::new()))
                }
                Err(e) => Err(e).context("the terminal cannot be read"),
            },
            Input::Pipe => {
                let mut line = String::new();
                let bytes = stdin().lock().read_line(&mut line);
                let bytes = bytes.context("standard input cannot be read as lines of UTF-8")?;
                interrupt::check()?;
                let line = line.strip_suffix('\n').unwrap_or(&line);
                let line = line.strip_suffix('\r').unwrap_or(line);
                Ok((bytes > 0).then(|| line.to_owned()))
            }
        }
    }
}

/// The whole of a turn that begins with `first`; `next` gives further lines.
fn whole(
    first: String,
    mut next: impl FnMut() -> anyhow::Result<Option<String>>,
) -> anyhow::Result<String> {
    if let Some(rest) = first.trim_start().strip_prefix(QUOTES) {
        let mut text = rest.to_owned();
        loop {
            if let Some(body) = text.trim_end().strip_suffix(QUOTES) {
                return Ok(body.trim_matches('\n').to_owned());
            }
            let Some(line) = next()? else { return Ok(text.trim_matches('\n').to_owned()) };
            text = text + "\n" + &line;
        }
    }
    let mut text = first;
    while let Some(before) = text.strip_suffix('\\') {
        let more = next()?.unwrap_or_default();
        text = format!("{before}\n{more}");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_may_have_many_lines() {
        for (lines, expected, left) in [
            (&["one", "two"][..], "one", 1),
            (&["one\\", "two\\", "three", "four"], "one\ntwo\nthree", 1),
            (&["one\\"], "one\n", 0),
            (&["\"\"\"one", "", "two\"\"\"", "three"], "one\n\ntwo", 1),
            (&["\"\"\"", "a \\", "  b", "\"\"\"", "c"], "a \\\n  b", 1),
            (&["\"\"\"short\"\"\"", "x"], "short", 1),
            (&["\"\"\"never", "closed"], "never\nclosed", 0),
        ] {
            let mut rest = lines[1..].iter().map(|line| Ok(Some((*line).to_owned())));
            let turn = whole(lines[0].to_owned(), || rest.next().unwrap_or(Ok(None)));
            assert_eq!(turn.unwrap(), expected);
            assert_eq!(rest.count(), left, "{lines:?}");
        }
    }
}
