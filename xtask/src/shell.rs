//! Programs in an environment that is the same for everyone, and how they fail.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub type Result<T = ()> = std::result::Result<T, String>;

/// The repository's root, where every program runs unless another folder is given.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the repository")
}

/// `target/NAME` of the repository: every kind of build has a folder of its own.
pub fn target(name: &str) -> PathBuf {
    root().join("target").join(name)
}

/// A program with its arguments, separated by white space: `sh("cargo fmt --all")`.
pub fn sh(line: &str) -> Shell {
    let mut words = line.split_whitespace();
    let mut shell = program(words.next().unwrap_or_default());
    shell.command.args(words);
    shell
}

/// A program by path or name, without arguments.
pub fn program(name: impl AsRef<OsStr>) -> Shell {
    let mut command = Command::new(name);
    command.current_dir(root());
    command.env("CARGO_TERM_COLOR", "never").env("CARGO_INCREMENTAL", "0");
    command.env("RUST_BACKTRACE", "1");
    for name in ["XIELU_ISA", "RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        command.env_remove(name);
    }
    // What `cargo run` says about this program is no other program's business.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text == "CARGO" || text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST") {
            command.env_remove(&name);
        }
    }
    match library_path() {
        Some(path) => command.env("LD_LIBRARY_PATH", path),
        None => command.env_remove("LD_LIBRARY_PATH"),
    };
    Shell { command }
}

/// `LD_LIBRARY_PATH` without what cargo put there: another compiler would find this one's libraries.
fn library_path() -> Option<OsString> {
    let toolchain = env::var_os("CARGO").map(PathBuf::from);
    let toolchain = toolchain.as_deref().and_then(Path::parent).and_then(Path::parent);
    let path = env::var_os("LD_LIBRARY_PATH")?;
    let others = env::split_paths(&path).filter(|folder| {
        !folder.starts_with(target("")) && !toolchain.is_some_and(|own| folder.starts_with(own))
    });
    let path = env::join_paths(others).ok()?;
    (!path.is_empty()).then_some(path)
}

pub struct Shell {
    command: Command,
}

impl Shell {
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.command.args(arguments);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// The folder to run in.
    pub fn dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Runs it with our output; an error unless it succeeds.
    pub fn run(mut self) -> Result {
        eprintln!("$ {self}");
        let status = self.command.status().map_err(|error| format!("{self}: {error}"))?;
        if status.success() { Ok(()) } else { Err(format!("{self}: {status}")) }
    }

    /// As it is, for other outputs.
    pub fn into_command(self) -> Command {
        self.command
    }

    /// What it prints, without the last line's end; an error with its messages unless it succeeds.
    pub fn read(mut self) -> Result<String> {
        self.command.stdin(Stdio::null());
        let output = self.command.output().map_err(|error| format!("{self}: {error}"))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(format!("{self}: {}\n{}", output.status, text(&output.stderr)))
        }
    }
}

impl fmt::Display for Shell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.command.get_program().to_string_lossy())?;
        self.command.get_args().try_for_each(|word| write!(f, " {}", word.to_string_lossy()))
    }
}
