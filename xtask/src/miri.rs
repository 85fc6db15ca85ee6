//! The scalar kernels and the core in an interpreter that knows the rules of `unsafe`.

use crate::shell::{Result, sh};
use crate::tools::skip;

/// What would take an interpreter hours: sweeps over whole number formats, generated texts.
const LONG: &[&str] = &[];

pub fn run(arguments: &[String]) -> Result {
    if let Err(error) = sh("cargo +nightly miri --version").read() {
        return skip("miri", "miri", error.lines().last().unwrap_or("no miri"));
    }
    for tests in ["-p xielu-kernels-simd --lib", "-p xielu --no-default-features --lib"] {
        sh("cargo +nightly miri test --target-dir target/miri")
            .args(tests.split_whitespace())
            .arg("--")
            .args(LONG.iter().flat_map(|name| ["--skip", name]))
            .args(arguments)
            .env("RUSTFLAGS", "--cfg xielu_force_scalar")
            .env("MIRIFLAGS", "-Zmiri-disable-isolation")
            .run()?;
    }
    Ok(())
}
