//! Mutated models, directories and tokenizers under the address sanitizer. libFuzzer's
//! instrumentation needs a nightly compiler.

use crate::shell::{Result, program, root, sh};
use crate::tools::{all_there, skip};

/// `SECONDS [TARGET...]`; a minute without.
pub fn run(arguments: &[String]) -> Result {
    if let Err(error) = sh("cargo +nightly --version").read() {
        return skip("nightly", "fuzzing", error.lines().last().unwrap_or("no nightly toolchain"));
    }
    if !all_there("fuzzing", &[("cc", "g++")])? {
        return Ok(());
    }
    let run = program(root().join("fuzz/run.sh"));
    if arguments.is_empty() { run.arg("60").run() } else { run.args(arguments).run() }
}
