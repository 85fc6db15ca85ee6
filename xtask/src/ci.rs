//! Everything, in two lanes side by side: linking, emulators and the compiler's first half use one
//! core each. Every step is this program again, with the step's name.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use crate::results::{Program, Reader};
use crate::shell::{Result, program, target};

/// A step of `ci` with its arguments.
struct Job {
    words: &'static [&'static str],
    all: All,
}

/// What `--all` does to a step.
#[derive(PartialEq)]
enum All {
    /// Nothing.
    Same,
    /// It does more.
    More,
    /// It is done at all: it is slow and rarely tells what no other step does.
    Only,
}

const fn job(words: &'static [&'static str]) -> Job {
    Job { words, all: All::Same }
}

/// Fails within a second what would fail later.
const FIRST: &[Job] = &[job(&["lint", "fmt"])];
const THIS_MACHINE: &[Job] = &[
    job(&["lint"]),
    job(&["test"]),
    // Needs what the tests built.
    job(&["web"]),
    Job { words: &["scalar"], all: All::Only },
    job(&["msrv"]),
    job(&["cuda"]),
    job(&["package"]),
    job(&["fuzz"]),
];
const OTHER_MACHINES: &[Job] = &[
    Job { words: &["no-std"], all: All::More },
    job(&["c-bare"]),
    Job { words: &["firmware"], all: All::More },
    Job { words: &["boards"], all: All::Only },
    Job { words: &["aarch64"], all: All::More },
    job(&["wasm"]),
];

/// The last line is the total of all tests.
pub fn run(arguments: &[String]) -> Result {
    let all = crate::all(arguments)?;
    let start = Instant::now();
    let runner = Runner { program: copy_of_this()?, all };
    let mut done = runner.lane(FIRST, &mut io::stdout());
    if succeeded(&done) {
        let (here, elsewhere) = thread::scope(|scope| {
            let elsewhere = scope.spawn(|| {
                let mut log = Vec::new();
                (runner.lane(OTHER_MACHINES, &mut log), log)
            });
            let here = runner.lane(THIS_MACHINE, &mut io::stdout());
            (here, elsewhere.join().expect("the other lane does not panic"))
        });
        io::stdout().write_all(&elsewhere.1).map_err(|error| error.to_string())?;
        done.extend(here);
        done.extend(elsewhere.0);
    }
    report(&done, start)
}

/// What a step printed, and whether it succeeded.
struct Done {
    name: String,
    seconds: u64,
    succeeded: bool,
    reader: Reader,
}

fn succeeded(done: &[Done]) -> bool {
    done.iter().all(|step| step.succeeded)
}

struct Runner {
    program: PathBuf,
    all: bool,
}

impl Runner {
    /// The steps in their order, until one fails.
    fn lane(&self, jobs: &[Job], log: &mut dyn Write) -> Vec<Done> {
        let mut done = Vec::new();
        for job in jobs.iter().filter(|job| self.all || job.all != All::Only) {
            done.push(self.step(job, log));
            if !succeeded(&done) {
                break;
            }
        }
        done
    }

    fn step(&self, job: &Job, log: &mut dyn Write) -> Done {
        let name = job.words.join(" ");
        let start = Instant::now();
        let mut reader = Reader::default();
        let mut say = |text: &str| {
            // What cannot be printed is counted all the same.
            let _ = writeln!(log, "{text}");
        };
        say(&format!("\n=== {name}"));
        let outcome = self.output(job, &mut |line| {
            reader.line(line);
            say(line);
        });
        let seconds = start.elapsed().as_secs();
        let succeeded = outcome == Ok(true);
        match outcome {
            Ok(true) => say(&format!("=== {name}: {seconds} s")),
            Ok(false) => say(&format!("=== {name}: FAILED after {seconds} s")),
            Err(error) => say(&format!("=== {name}: FAILED: {error}")),
        }
        Done { name, seconds, succeeded, reader }
    }

    /// Runs the step and gives its output away by lines, messages and all.
    fn output(&self, job: &Job, each: &mut dyn FnMut(&str)) -> Result<bool> {
        let text = |error: io::Error| error.to_string();
        let (reader, writer) = io::pipe().map_err(text)?;
        let all = (self.all && job.all == All::More).then_some("--all");
        let mut command = program(&self.program).args(job.words).args(all).into_command();
        command.stdout(writer.try_clone().map_err(text)?).stderr(writer);
        let mut child = command.spawn().map_err(text)?;
        drop(command); // and with it our ends of the pipe
        let mut reader = BufReader::new(reader);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).map_err(text)? > 0 {
            each(String::from_utf8_lossy(&line).trim_end_matches('\n'));
            line.clear();
        }
        Ok(child.wait().map_err(text)?.success())
    }
}

/// The tests build this program again and would replace it meanwhile.
fn copy_of_this() -> Result<PathBuf> {
    let copy = |to: &Path| {
        fs::create_dir_all(to.parent().unwrap_or(to))?;
        fs::copy(std::env::current_exe()?, to)
    };
    let to = target("ci").join(format!("xtask{}", std::env::consts::EXE_SUFFIX));
    copy(&to).map_err(|error| format!("{}: {error}", to.display()))?;
    Ok(to)
}

fn report(done: &[Done], start: Instant) -> Result {
    println!("\nsteps:");
    for step in done {
        let failed = if step.succeeded { "" } else { "  FAILED" };
        println!("{:6} s  {}{failed}", step.seconds, step.name);
    }
    let mut programs: Vec<(&Program, &str)> = Vec::new();
    for step in done {
        programs.extend(step.reader.programs.iter().map(|program| (program, step.name.as_str())));
    }
    programs.sort_by(|(a, _), (b, _)| b.seconds.total_cmp(&a.seconds));
    // The stable test runner tells no times of single tests.
    println!("slowest test programs:");
    for (program, step) in programs.iter().take(10) {
        println!("{:8.1} s  {} ({step})", program.seconds, program.name);
    }
    for line in done.iter().flat_map(|step| &step.reader.skipped) {
        println!("{line}");
    }
    println!("all steps: {} s", start.elapsed().as_secs());
    let passed: u32 = programs.iter().map(|(program, _)| program.passed).sum();
    let failed: u32 = programs.iter().map(|(program, _)| program.failed).sum();
    if let Some(step) = done.iter().find(|step| !step.succeeded) {
        eprintln!("cargo xtask ci: {} failed", step.name);
    }
    println!("{passed} passed, {failed} failed");
    if succeeded(done) && failed == 0 && passed > 0 { Ok(()) } else { Err(String::new()) }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A program whose steps do what their names say.
    fn runner() -> Runner {
        let program = target("ci").join(format!("steps-{}", std::process::id()));
        fs::create_dir_all(target("ci")).unwrap();
        let script = "#!/bin/sh\n\
            case $1 in\n\
            good) echo '     Running tests/a.rs (target/a)' >&2\n\
                  echo 'test result: ok. 2 passed; 0 failed; 0 ignored; finished in 0.10s';;\n\
            skips) echo 'SKIPPED: this (no tool)';;\n\
            bad) exit 3;;\n\
            esac\n\
            echo \"arguments: $*\"\n";
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Runner { program, all: true }
    }

    fn skips() -> Job {
        Job { words: &["skips"], all: All::More }
    }

    /// One test, because a script that is being written cannot run.
    #[test]
    fn a_lane_counts_and_stops_at_the_first_failure() {
        let runner = runner();
        let mut log = Vec::new();
        let only = Job { words: &["good"], all: All::Only };
        let lane = [only, skips(), job(&["bad"]), job(&["good"])];
        let done = runner.lane(&lane, &mut log);
        let few = Runner { all: false, ..runner };
        let without = few.lane(&lane[..2], &mut Vec::new());
        let runner = few;
        assert_eq!(without.iter().map(|step| &*step.name).collect::<Vec<_>>(), ["skips"]);
        fs::remove_file(&runner.program).unwrap();
        let log = String::from_utf8(log).unwrap();
        let outcomes: Vec<_> = done.iter().map(|step| (&*step.name, step.succeeded)).collect();
        assert_eq!(outcomes, [("good", true), ("skips", true), ("bad", false)]);
        assert_eq!(done[0].reader.programs[0].passed, 2);
        assert_eq!(done[1].reader.skipped, ["SKIPPED: this (no tool)"]);
        assert!(log.contains("=== bad: FAILED after 0 s"));
        let arguments = log.lines().filter(|line| line.starts_with("arguments"));
        assert_eq!(arguments.collect::<Vec<_>>(), ["arguments: good", "arguments: skips --all"]);
        assert!(report(&done, Instant::now()).is_err());
        assert!(report(&done[..2], Instant::now()).is_ok());
        assert!(report(&done[1..2], Instant::now()).is_err(), "nothing was tested");
    }
}
