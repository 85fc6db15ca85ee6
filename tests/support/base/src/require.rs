//! Tools and devices that a machine may lack: what is not tested without one is said, and fails where
//! `XIELU_REQUIRE=NAME,...` names it. `cargo xtask --help` lists the names.

use std::collections::BTreeSet;
use std::env;
use std::io::Write as _;
use std::panic::Location;
use std::process::Command;
use std::sync::Mutex;
use std::thread;

/// Says that this test, or a part of it, is left out because `name` is missing, and `why`. The line
/// is not captured as the output of tests is; said twice, it is printed once.
///
/// # Panics
/// If `XIELU_REQUIRE` names it.
#[track_caller]
pub fn skip(name: &str, why: &str) {
    match thread::current().name() {
        Some(test) if test != "main" => skip_part(test, name, why),
        // On one thread, tests run on the program's own.
        _ => skip_part(&Location::caller().to_string(), name, why),
    }
}

/// As [`skip`], of `what` instead of the test that runs.
///
/// # Panics
/// If `XIELU_REQUIRE` names it.
#[track_caller]
pub fn skip_part(what: &str, name: &str, why: &str) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let line = match line(&env::var("XIELU_REQUIRE").unwrap_or_default(), what, name, why) {
        Ok(line) => line,
        Err(problem) => panic!("{problem}"),
    };
    let mut said = SAID.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if said.insert(line.clone()) {
        // On a line of its own, whatever is printed at the same time.
        let _ = std::io::stderr().write_all(format!("\n{line}\n").as_bytes());
    }
}

/// What is said where `required` does not have the name.
fn line(required: &str, what: &str, name: &str, why: &str) -> Result<String, String> {
    if required.split(',').any(|one| one.trim() == name) {
        return Err(format!("{what} needs {name} ({why}), and XIELU_REQUIRE names it"));
    }
    Ok(format!("SKIPPED: {what} needs {name} ({why})"))
}

/// Those of `programs` that are installed; [`skip`]s the others.
///
/// # Panics
/// If one is not, and `XIELU_REQUIRE` names `name`.
#[track_caller]
pub fn programs<'a>(name: &str, programs: &[&'a str]) -> Vec<&'a str> {
    let (found, missing): (Vec<&str>, Vec<&str>) = programs.iter().partition(|p| is_installed(p));
    for program in missing {
        skip(name, &format!("{program} is not installed"));
    }
    found
}

/// The first of `programs` that is installed; [`skip`]s them if none is.
///
/// # Panics
/// If none is, and `XIELU_REQUIRE` names `name`.
#[track_caller]
pub fn any_program<'a>(name: &str, programs: &[&'a str]) -> Option<&'a str> {
    let found = programs.iter().copied().find(|program| is_installed(program));
    if found.is_none() {
        skip(name, &format!("none of {} is installed", programs.join(", ")));
    }
    found
}

/// Whether `program` is installed; [`skip`]s it if not.
///
/// # Panics
/// If it is not, and `XIELU_REQUIRE` names `name`.
#[track_caller]
pub fn program(name: &str, program: &str) -> bool {
    !programs(name, &[program]).is_empty()
}

fn is_installed(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_or_fails() {
        let said = "SKIPPED: a test needs cc (gcc is not installed)";
        for required in ["", "valgrind", "c", "ccc,cc-2"] {
            assert_eq!(line(required, "a test", "cc", "gcc is not installed").unwrap(), said);
        }
        for required in ["cc", "valgrind, cc", "cc,cuda"] {
            let problem = line(required, "a test", "cc", "gcc is not installed").unwrap_err();
            assert!(problem.starts_with("a test needs cc (gcc is not installed)"), "{problem}");
        }
    }

    #[test]
    fn programs_are_found() {
        assert!(is_installed(env!("CARGO")) && !is_installed("no-such-program"));
    }

    /// The whole way, in a process of its own: what a test run prints and how it ends.
    #[test]
    fn a_skip_survives_capture_and_fails_where_it_is_required() {
        let run = |required: &str| {
            let mut this = Command::new(env::current_exe().unwrap());
            this.args(["--ignored", "--exact", "require::tests::a_test_without_its_tool"]);
            this.env("XIELU_REQUIRE", required).output().unwrap()
        };
        let (skipped, failed) = (run("cc"), run("cc,no-such-tool"));
        let lines = String::from_utf8(skipped.stderr).unwrap();
        let said = "SKIPPED: require::tests::a_test_without_its_tool needs no-such-tool \
                    (no-such-program is not installed)";
        assert_eq!(lines.lines().filter(|line| *line == said).count(), 1, "{lines}");
        assert!(skipped.status.success() && !failed.status.success());
    }

    #[test]
    #[ignore = "skips itself, which another test reads: cargo test -p xielu-testing-base require"]
    fn a_test_without_its_tool() {
        assert!(!program("no-such-tool", "no-such-program"));
        assert!(!program("no-such-tool", "no-such-program"));
    }
}
