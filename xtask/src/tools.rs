//! The tools that steps need. What is not done because one is missing is said, and fails where the
//! tool is required.

use std::env;
use std::path::PathBuf;

use crate::shell::Result;

/// What `XIELU_REQUIRE` can name, and what is missing without it. Tests read the same list.
const NAMES: &[(&str, &str)] = &[
    ("cc", "gcc, g++, clang, make and cmake: the C interface, CUDA's host twins"),
    ("valgrind", "the examples in C under valgrind; instruction counts"),
    ("cuda", "a CUDA device"),
    ("cuda-2", "a second CUDA device"),
    ("amx", "a CPU with AMX"),
    ("rust-std", "Rust's library for the target, or its source: see below"),
    ("aarch64-gcc", "aarch64-linux-gnu-gcc, and glibc for it"),
    ("arm-gcc", "arm-none-eabi-gcc with newlib"),
    ("s390x-gcc", "s390x-linux-gnu-gcc, and glibc for it"),
    ("qemu", "qemu-aarch64, qemu-s390x, qemu-system-arm, qemu-system-riscv32"),
    ("qemu-s390x", "a qemu-s390x that multiplies f32 to f64 rightly"),
    ("wasi-libc", "/usr/lib/wasm32-wasi"),
    ("node", "Node"),
    ("chromium", "chromium and chromedriver"),
    ("python", "python3 with pip; venv for wheels"),
    ("nightly", "cargo +nightly: fuzzing"),
    ("msrv", "the compiler of the minimum supported version"),
    ("miri", "cargo +nightly miri"),
    ("cargo-deny", "cargo-deny and its database of advisories"),
];

/// Says that `what` was not done because `name` is missing; an error where that is required.
pub fn skip(name: &str, what: &str, why: &str) -> Result {
    assert!(NAMES.iter().any(|(known, _)| *known == name), "{name} is not documented");
    if required(&env::var("XIELU_REQUIRE").unwrap_or_default(), name) {
        return Err(format!("{what}: {why}, and XIELU_REQUIRE names {name}"));
    }
    println!("SKIPPED: {what} ({why})");
    Ok(())
}

/// Whether every program is there, given as `(name, program)`; skips `what` if not.
pub fn all_there(what: &str, programs: &[(&str, &str)]) -> Result<bool> {
    for (name, program) in programs {
        if find(program).is_none() {
            skip(name, what, &format!("{program} is not installed"))?;
            return Ok(false);
        }
    }
    Ok(true)
}

/// A program of `PATH`, or a file or folder by its absolute path.
pub fn find(program: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&folders).map(|folder| folder.join(program));
    let found = found.map(|path| path.with_extension(env::consts::EXE_EXTENSION));
    found.into_iter().find(|path| path.exists())
}

/// Whether a list as `cc,nightly` has the name.
fn required(list: &str, name: &str) -> bool {
    list.split(',').any(|one| one.trim() == name)
}

pub fn help() -> String {
    let mut text = String::from(
        "What needs a tool that is not installed prints a line that begins with SKIPPED.\n\
         XIELU_REQUIRE=NAME,NAME... makes it fail instead:\n",
    );
    for (name, what) in NAMES {
        text += &format!("  {name:<13} {what}\n");
    }
    text + "\nOther targets are built with what `rustup target add` installed; where that is nothing,\n\
            with a compiler in /usr/bin that has the library's source (Debian: rustc-web,\n\
            rust-web-src).\n"
}

#[cfg(test)]
mod tests {
    use super::required;

    #[test]
    fn names_are_separated_by_commas() {
        assert!(required("cc,nightly", "cc") && required("cc, nightly", "nightly"));
        assert!(!required("cc", "c") && !required("", "cc"));
    }
}
