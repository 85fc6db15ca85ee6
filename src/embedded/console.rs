//! A prompt on a serial line: the line is edited, the answer comes token by token, and a line
//! says how fast.

use super::line::{Edit, Line};
use super::message::Message;
use super::running::Running;
use crate::Error;
use crate::llama::Stop;

/// What a board brings: a serial line and two counters.
pub trait Terminal {
    /// The next byte that was typed; waits for it.
    fn read(&mut self) -> u8;

    /// Shows bytes of UTF-8.
    fn write(&mut self, bytes: &[u8]);

    /// What counts `HZ` times a second, and goes on with 0 after `u32::MAX`: a cycle counter, or
    /// microseconds. A token must not take longer than a whole round.
    fn ticks(&mut self) -> u32;

    /// Ticks in a second.
    const HZ: u32;

    /// Bytes of RAM that were used at most: statics and the deepest stack.
    fn ram(&mut self) -> usize;

    /// Told of an error, before a sentence about it is shown: for a log.
    fn error(&mut self, _error: &Error) {}
}

/// Reads lines of at most `N` bytes and answers them.
#[derive(Clone, Debug)]
pub struct Console<const N: usize> {
    line: Line<N>,
    limit: usize,
}

/// What was counted while an answer came.
#[derive(Clone, Copy, Default)]
struct Status {
    prompt: usize,
    answer: usize,
    /// Of the tokens after the first, which follows from the prompt.
    ticks: u64,
    context_full: bool,
}

impl<const N: usize> Console<N> {
    /// Answers of at most `limit` tokens.
    pub const fn new(limit: usize) -> Self {
        Console { line: Line::new(), limit }
    }

    /// Answers line after line, each without what came before it, until Ctrl-D is typed in an
    /// empty one.
    pub fn run<T: Terminal>(&mut self, session: &mut Running, terminal: &mut T) {
        while self.read_line(terminal) {
            match self.line.text() {
                Some("") => {}
                Some(prompt) => match answer(session, prompt, self.limit, terminal) {
                    Ok(status) => status.show(terminal),
                    Err(error) => {
                        terminal.error(&error);
                        terminal.write(b"\r\n[");
                        terminal.write(explained(&error).as_bytes());
                        terminal.write(b"]\r\n");
                    }
                },
                None => terminal.write(b"[the line is not UTF-8]\r\n"),
            }
            self.line.clear();
        }
    }

    /// Whether there is another line.
    fn read_line(&mut self, terminal: &mut impl Terminal) -> bool {
        terminal.write(b"> ");
        loop {
            let byte = terminal.read();
            match self.line.push(byte) {
                Edit::Added => terminal.write(&[byte]),
                Edit::Erased => erase(terminal, 1),
                Edit::Cleared(characters) => erase(terminal, characters),
                Edit::Full => terminal.write(b"\x07"),
                Edit::Ignored => {}
                Edit::Entered => break,
                Edit::Ended => {
                    terminal.write(b"\r\n");
                    return false;
                }
            }
        }
        terminal.write(b"\r\n");
        true
    }
}

fn erase(terminal: &mut impl Terminal, characters: usize) {
    for _ in 0..characters {
        terminal.write(b"\x08 \x08");
    }
}

fn answer<T: Terminal>(
    session: &mut Running,
    prompt: &str,
    limit: usize,
    terminal: &mut T,
) -> Result<Status, Error> {
    let mut status = Status { prompt: session.prompt(prompt, limit)?, ..Default::default() };
    loop {
        let before = terminal.ticks();
        let Some(id) = session.next_token()? else { break };
        if status.answer > 0 {
            status.ticks += u64::from(terminal.ticks().wrapping_sub(before));
        }
        status.answer += 1;
        session.write(id, &mut |text| show(terminal, text));
    }
    session.finish(&mut |text| show(terminal, text));
    status.context_full = session.tokens().stopped() == Some(Stop::ContextFull);
    Ok(status)
}

/// Shows text, each line at the left edge.
fn show(terminal: &mut impl Terminal, text: &str) {
    for (at, line) in text.split('\n').enumerate() {
        if at > 0 {
            terminal.write(b"\r\n");
        }
        terminal.write(line.as_bytes());
    }
}

impl Status {
    /// `[10 + 40 tokens, 6.97 tokens/s, 94123 bytes of RAM]`
    fn show<T: Terminal>(&self, terminal: &mut T) {
        let text = Message::new("\r\n[").number(self.prompt).text(" + ").number(self.answer);
        let text = text.text(" tokens");
        let text = if self.context_full { text.text(" (the context is full)") } else { text };
        let timed = self.answer.saturating_sub(1) as u64;
        let hundredths = (timed * 100).saturating_mul(u64::from(T::HZ)).checked_div(self.ticks);
        let hundredths = hundredths.and_then(|rate| usize::try_from(rate).ok());
        let text = match hundredths {
            Some(rate) => {
                let text = text.text(", ").number(rate / 100).text(".");
                text.number(rate / 10 % 10).number(rate % 10).text(" tokens/s")
            }
            None => text,
        };
        let text = text.text(", ").number(terminal.ram()).text(" bytes of RAM]\r\n");
        terminal.write(text.as_str().as_bytes());
    }
}

/// What a person at the terminal can do about it.
fn explained(error: &Error) -> &'static str {
    match error {
        Error::ContextFull { .. } => "the prompt is longer than the context",
        Error::Memory { .. } => "a word of the prompt is too long",
        Error::NoTokenForByte(_) => "the vocabulary has no token for a byte of the prompt",
        Error::NonFinite(_) => "a result is no number: the weights are damaged",
        _ => "the prompt cannot be answered",
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;
    use std::vec::Vec;

    use super::*;
    use crate::embedded::{Program, Session, Static};

    struct Tiny;
    impl Program for Tiny {
        const MODEL: &'static [u8] = include_bytes!("../../models/tiny-Q8_0.gguf");
        const LONGEST_WORD: usize = 16;
    }

    /// What is typed, and what is shown. A tick for each that was read.
    struct Typed {
        input: Vec<u8>,
        output: Vec<u8>,
        ticks: u32,
        errors: Vec<Error>,
    }

    impl Terminal for Typed {
        const HZ: u32 = 10;

        fn read(&mut self) -> u8 {
            self.input.remove(0)
        }

        fn write(&mut self, bytes: &[u8]) {
            self.output.extend_from_slice(bytes);
        }

        fn ticks(&mut self) -> u32 {
            self.ticks = self.ticks.wrapping_add(4);
            self.ticks
        }

        fn ram(&mut self) -> usize {
            1234
        }

        fn error(&mut self, error: &Error) {
            self.errors.push(*error);
        }
    }

    #[test]
    fn lines_are_edited_and_answered() {
        static SESSION: Static<Session<Tiny, 4, 32, 72_000>> = Static::new(Session::new());
        let mut session = SESSION.take().unwrap().start().unwrap();
        let mut alone = String::new();
        let count = session.generate("A struct", 8, |text| alone += text).unwrap();
        assert_eq!(count, 8);

        let long = "x".repeat(60);
        let mut input = Vec::from("\nA strX\x7fuct\r\n".as_bytes());
        input.extend_from_slice(long.as_bytes());
        input.extend_from_slice(b"\n");
        input.extend_from_slice("a b c d e f g h i j k l m n o p q r s t u v w".as_bytes());
        input.extend_from_slice(b"\xff\n\x15a b c d e f g h i j k l m n o p q r\x15A struct\n\x04");
        let mut typed =
            Typed { input, output: Vec::new(), ticks: u32::MAX - 20, errors: Vec::new() };
        Console::<64>::new(8).run(&mut session, &mut typed);
        assert!(typed.input.is_empty());

        let output = String::from_utf8_lossy(&typed.output).into_owned();
        // Seven tokens of 4 ticks, 10 of which are a second: 2.5 a second.
        let answer = alone.replace('\n', "\r\n");
        let prompt = session.prompt("A struct", 0).unwrap();
        let status = std::format!("[{prompt} + 8 tokens, 2.50 tokens/s, 1234 bytes of RAM]");
        let answered = std::format!("{answer}\r\n{status}\r\n> ");
        let first = std::format!("> \r\n> A strX\x08 \x08uct\r\n{answered}");
        assert!(output.starts_with(&first), "{output:?}");
        assert!(output.contains("\r\n[a word of the prompt is too long]\r\n> "), "{output:?}");
        assert!(output.contains("\r\n[the line is not UTF-8]\r\n> "), "{output:?}");
        assert!(output.ends_with(&std::format!("A struct\r\n{answered}\r\n")), "{output:?}");
        assert!(matches!(typed.errors[..], [Error::Memory { .. }]), "{:?}", typed.errors);
    }

    #[test]
    fn a_context_ends_answers_and_refuses_prompts() {
        static SESSION: Static<Session<Tiny, 4, 8, 50_000>> = Static::new(Session::new());
        let mut session = SESSION.take().unwrap().start().unwrap();
        let input = Vec::from("A struct\na b c d e f g h i j k l\n\x04".as_bytes());
        let mut typed = Typed { input, output: Vec::new(), ticks: 0, errors: Vec::new() };
        Console::<64>::new(40).run(&mut session, &mut typed);
        let output = String::from_utf8_lossy(&typed.output).into_owned();
        assert!(output.contains(" tokens (the context is full), 2.50 tokens/s, "), "{output:?}");
        assert!(output.contains("[the prompt is longer than the context]"), "{output:?}");
    }
}
