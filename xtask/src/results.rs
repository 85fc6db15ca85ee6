//! What test runners print, read for totals and times.

/// One test program.
#[derive(Debug, PartialEq)]
pub struct Program {
    pub name: String,
    pub passed: u32,
    pub failed: u32,
    pub seconds: f64,
}

/// The programs in the output of one step, line by line.
#[derive(Default)]
pub struct Reader {
    running: String,
    pub programs: Vec<Program>,
    pub skipped: Vec<String>,
}

impl Reader {
    pub fn line(&mut self, line: &str) {
        let trimmed = line.trim();
        if line.starts_with("SKIPPED") {
            self.skipped.push(trimmed.to_owned());
        } else if line.starts_with(' ')
            && (trimmed.starts_with("Running ") || trimmed.starts_with("Doc-tests "))
        {
            let name = trimmed.split(" (").next().unwrap_or(trimmed);
            self.running = name.trim_start_matches("Running ").to_owned();
        } else if let Some(counts) = line.strip_prefix("test result: ") {
            self.programs.push(Program {
                name: self.running.clone(),
                passed: before(counts, " passed").unwrap_or(0),
                failed: before(counts, " failed").unwrap_or(0),
                seconds: counts.rsplit(' ').next().and_then(seconds).unwrap_or(0.0),
            });
        }
    }
}

/// The number before a word: 4 before ` passed` in `ok. 4 passed; 0 failed`.
fn before(text: &str, word: &str) -> Option<u32> {
    text.split_once(word)?.0.rsplit(' ').next()?.parse().ok()
}

/// `1.50s`.
fn seconds(text: &str) -> Option<f64> {
    text.trim_end_matches('s').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_read() {
        let mut reader = Reader::default();
        for line in [
            "     Running tests/golden.rs (target/debug/deps/golden-0123)",
            "running 2 tests",
            "test one ... ok",
            "test result: FAILED. 12 passed; 1 failed; 3 ignored; 0 measured; 0 filtered out; \
             finished in 1.50s",
            "   Doc-tests xielu",
            "test result: ok. 7 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out",
            "SKIPPED: fuzzing (no nightly toolchain)",
        ] {
            reader.line(line);
        }
        let program = |name: &str, passed, failed, seconds| Program {
            name: name.into(),
            passed,
            failed,
            seconds,
        };
        let expected =
            [program("tests/golden.rs", 12, 1, 1.5), program("Doc-tests xielu", 7, 0, 0.0)];
        assert_eq!(reader.programs, expected);
        assert_eq!(reader.skipped, ["SKIPPED: fuzzing (no nightly toolchain)"]);
    }
}
