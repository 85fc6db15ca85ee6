//! Bounds on regular expressions from a file: deep ones end the program by their recursion, wide
//! ones by the memory of their repetitions.

use std::format;
use std::iter::Peekable;
use std::str::Chars;
use std::string::String;
use std::vec::Vec;

/// Bytes of a pattern; those in use have about 500.
const MAX_LEN: usize = 16 << 10;
/// Groups in groups.
const MAX_DEPTH: usize = 64;
/// Characters once all counted repetitions are written out.
const MAX_SIZE: u64 = 100_000;

/// Checks the pattern of `part`.
pub(super) fn check(pattern: &str, part: &str) -> Result<(), String> {
    if pattern.is_empty() {
        return Err(format!("its {part} has an empty pattern"));
    }
    if pattern.len() > MAX_LEN {
        let len = pattern.len();
        return Err(format!("its {part} has a pattern of {len} bytes, at most {MAX_LEN} are read"));
    }
    let mut scan = Scan { rest: pattern.chars().peekable(), open: Vec::new(), sum: 0, last: 0 };
    while scan.step() {
        if scan.open.len() > MAX_DEPTH {
            return Err(format!("its {part} has a pattern of more than {MAX_DEPTH} nested groups"));
        }
    }
    let size = scan.open.iter().fold(scan.sum, |size, &outer| size.saturating_add(outer));
    if size > MAX_SIZE {
        return Err(format!(
            "its {part} has a pattern whose repetitions make it {size} characters long, \
             at most {MAX_SIZE} are compiled"
        ));
    }
    Ok(())
}

/// Adds up what a pattern becomes. It need not be valid: that is the compiler's business.
struct Scan<'p> {
    rest: Peekable<Chars<'p>>,
    /// The sums of the groups around this one.
    open: Vec<u64>,
    /// Of this group so far.
    sum: u64,
    /// Of the last element, which a repetition multiplies.
    last: u64,
}

impl Scan<'_> {
    fn step(&mut self) -> bool {
        let Some(c) = self.rest.next() else { return false };
        match c {
            '(' => {
                self.open.push(self.sum);
                (self.sum, self.last) = (0, 0);
            }
            ')' => {
                self.last = self.sum + 1;
                self.sum = self.open.pop().unwrap_or(0).saturating_add(self.last);
            }
            '{' => self.repeat(),
            '[' => {
                self.class();
                self.one();
            }
            '\\' => {
                self.escape();
                self.one();
            }
            _ => self.one(),
        }
        true
    }

    fn one(&mut self) {
        self.last = 1;
        self.sum = self.sum.saturating_add(1);
    }

    /// `{n}`, `{n,}`, `{n,m}`; other braces are characters.
    fn repeat(&mut self) {
        let mut ahead = self.rest.clone();
        let inside: String = ahead.by_ref().take_while(|&c| c != '}').take(32).collect();
        let mut numbers = inside.split(',').map(|n| n.trim().parse::<u64>().unwrap_or(0));
        if inside.is_empty() || !inside.chars().all(|c| c.is_ascii_digit() || ", ".contains(c)) {
            return self.one();
        }
        self.rest = ahead;
        let times = numbers.next().max(numbers.next()).unwrap_or(0).max(1);
        let whole = self.last.saturating_mul(times);
        self.sum = self.sum.saturating_sub(self.last).saturating_add(whole);
        self.last = whole;
    }

    /// To the end of a character class, classes inside it included.
    fn class(&mut self) {
        let mut depth = 1;
        // A bracket that closes at once is a character.
        if self.rest.peek() == Some(&'^') {
            self.rest.next();
        }
        if self.rest.peek() == Some(&']') {
            self.rest.next();
        }
        while depth > 0 {
            match self.rest.next() {
                Some('\\') => self.escape(),
                Some('[') => depth += 1,
                Some(']') => depth -= 1,
                Some(_) => {}
                None => return,
            }
        }
    }

    /// The character after a backslash, and the braces of `\p{..}` and its kind.
    fn escape(&mut self) {
        let named = self.rest.next().is_some_and(|c| "pPxuUkgoN".contains(c));
        if named && self.rest.peek() == Some(&'{') {
            let _ = self.rest.find(|&c| c == '}');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString as _;

    #[test]
    fn patterns_in_use_pass_and_bombs_do_not() {
        let apertus_2 = r"[ \x{0F0B}\x{0027}]?(?<g>[^\s\p{N}])\k<g>{7}|\p{N}| ?[^\s\p{L}\p{N}]{1,16}|\s{0,16}[\r\n]{1,16}|\s{1,16}(?!\S)";
        for good in [apertus_2, r"[^\r\n\p{L}]?\p{Lu}{1,3}|[]a]|[^]\]]|{x}|a{2", "(a{1000}){90}"] {
            assert_eq!(check(good, "x"), Ok(()), "{good}");
        }
        let deep = "(".repeat(100_000);
        let nested = "(".repeat(65) + "a" + &")".repeat(65);
        for (bad, says) in [
            ("", "empty"),
            ("((a{1000}){1000}){1000}", "repetitions"),
            ("(a){99999999}", "repetitions"),
            (r"(?:\p{Lu}{1000}[a-z]{2,1000}){1,900}", "repetitions"),
            (&deep, "bytes"),
            (&nested, "nested"),
        ] {
            let problem = check(bad, "pre_tokenizer").unwrap_err().to_string();
            assert!(problem.contains(says), "{problem}");
        }
    }
}
