//! Generated text on standard output, and how fast it came.

use std::io::{IsTerminal as _, Stdout, Write as _, stdout};
use std::time::Duration;

use xielu::escaped_lines;
use xielu::session::StopTexts;
use xielu::tokenizer::{TextStream, Tokenizer};

/// Standard output: a terminal gets no control characters, a file gets the text as it is.
pub struct Out {
    out: Stdout,
    terminal: bool,
}

impl Out {
    pub fn new() -> Self {
        let out = stdout();
        Out { terminal: out.is_terminal(), out }
    }

    /// Writes a piece of a text, which is seen at once.
    pub fn write(&mut self, text: &str) -> anyhow::Result<()> {
        match self.terminal {
            true => write!(self.out, "{}", escaped_lines(text))?,
            false => self.out.write_all(text.as_bytes())?,
        }
        Ok(self.out.flush()?)
    }
}

/// Writes tokens to standard output.
pub struct Printer<'t> {
    stream: TextStream<&'t Tokenizer>,
    stops: StopTexts,
    /// Whether one of `stops` has come.
    stopped: bool,
    ids: bool,
    out: Out,
}

impl<'t> Printer<'t> {
    /// Prints texts, with special tokens if wanted, and nothing of `stops`; or ids.
    pub fn new(tokenizer: &'t Tokenizer, ids: bool, special: bool, stops: StopTexts) -> Self {
        let stream = tokenizer.stream().with_special(special);
        Printer { stream, stops, stopped: false, ids, out: Out::new() }
    }

    /// Has the stream know a token of the prompt, in which no text ends anything; prints it if it
    /// is to be `shown`.
    pub fn prompt(&mut self, id: u32, shown: bool) -> anyhow::Result<()> {
        let text = self.stream.push(id)?.filter(|_| shown);
        text.map_or(Ok(()), |text| self.out.write(&text))
    }

    /// Prints a token. Returns whether the text ends there.
    pub fn print(&mut self, id: u32) -> anyhow::Result<bool> {
        if self.ids {
            self.out.write(&format!("{id} "))?;
        } else if let Some(text) = self.stream.push(id)? {
            let (text, stopped) = self.stops.push(&text);
            self.stopped = stopped;
            self.out.write(&text)?;
        }
        Ok(self.stopped)
    }

    /// Prints what was held back, unless the text has ended before.
    pub fn finish(&mut self) -> anyhow::Result<()> {
        let rest = self.stream.finish()?.filter(|_| !self.stopped);
        let (rest, stopped) = self.stops.push(&rest.unwrap_or_default());
        self.out.write(&rest)?;
        if stopped { Ok(()) } else { self.out.write(&self.stops.finish()) }
    }
}

/// What took how long.
pub struct Speed {
    pub prompt: (usize, Duration),
    pub generated: (usize, Duration),
}

impl std::fmt::Display for Speed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rate = |(n, time): (usize, Duration)| n as f64 / time.as_secs_f64().max(1e-9);
        write!(
            f,
            "prompt {} tokens, {:.0} tokens/s; generated {} tokens, {:.0} tokens/s",
            self.prompt.0,
            rate(self.prompt),
            self.generated.0,
            rate(self.generated)
        )
    }
}
