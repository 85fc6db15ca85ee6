//! Running the command, and files that it should not like.
#![allow(dead_code, reason = "each test crate uses its part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub const MODEL: &str = "tests/data/tiny-Q8_0.gguf";
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

pub fn in_repository(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The bundled model with `from` replaced by `to` (of the same length) where it first occurs
/// after `after`.
pub fn patched(dir: &Path, after: &str, from: &[u8], to: &[u8]) -> PathBuf {
    assert_eq!(from.len(), to.len());
    let mut bytes = fs::read(in_repository(MODEL)).unwrap();
    let start = find(&bytes, after.as_bytes()).unwrap() + after.len();
    let at = start + find(&bytes[start..], from).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to);
    let path = dir.join("patched.gguf");
    fs::write(&path, bytes).unwrap();
    path
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// A path as an argument.
pub fn arg(path: &Path) -> &str {
    path.to_str().unwrap()
}
