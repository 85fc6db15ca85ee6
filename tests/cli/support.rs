//! Running the command, and files that it should not like.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use xielu_testing::bundled;
pub use xielu_testing::in_repository;

pub const MODEL: &str = bundled::Q8_0;
pub const TEXT: &str = "models/heldout.txt";
pub const PROMPT: &str = "The `Vec<T>` type is";

/// The command, in the repository, with nothing inherited that changes its results.
pub fn xielu(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xielu"));
    command.args(args).current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("XIELU_ISA");
    command
}

/// Standard output of a run that must succeed.
pub fn succeeds(args: &[&str]) -> String {
    let output = xielu(args).output().unwrap();
    let errors = text(&output.stderr);
    assert!(output.status.success(), "{args:?}: {}\n{errors}", output.status);
    text(&output.stdout)
}

/// The one line of standard error of a run that must fail.
pub fn fails(args: &[&str]) -> String {
    fails_of(args, xielu(args).output().unwrap())
}

pub fn fails_of(args: &[&str], output: Output) -> String {
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{args:?}: {errors}");
    assert_eq!(errors.lines().count(), 1, "{args:?}: {errors}");
    assert!(errors.starts_with("error: "), "{args:?}: {errors}");
    errors.trim_end().to_owned()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The file of `bundled::patched`, in `dir`.
pub fn patched(dir: &Path, after: &str, from: &[u8], to: &[u8]) -> PathBuf {
    let path = dir.join("patched.gguf");
    fs::write(&path, bundled::patched(after, from, to)).unwrap();
    path
}

/// A path as an argument.
pub fn arg(path: &Path) -> &str {
    path.to_str().unwrap()
}
