//! Readers, encoders and the scalar kernels where bytes have the other order: emulated s390x.

use std::ffi::OsStr;

use crate::cross::{Toolchain, variable};
use crate::shell::Result;
use crate::tools::all_there;

const TARGET: &str = "s390x-unknown-linux-gnu";

/// Those of the tests that read, write and compute from bytes of files.
const TESTS: &[&str] = &["bpe", "convert", "decoder", "gguf", "hf", "quant"];
/// Of the activations, what does not sweep whole number formats.
const ACTIVATION: &str = "--test activation vectors::";

pub fn run(arguments: &[String]) -> Result {
    let what = "tests on s390x";
    let tools = [("s390x-gcc", "s390x-linux-gnu-gcc"), ("qemu", "qemu-s390x")];
    if !all_there(what, &tools)? {
        return Ok(());
    }
    let Some(toolchain) = Toolchain::find(TARGET, what)? else { return Ok(()) };
    if !arguments.is_empty() {
        return test(&toolchain, arguments);
    }
    let tests: Vec<&str> = TESTS.iter().flat_map(|name| ["--test", name]).collect();
    test(&toolchain, &[&["--lib"], &tests[..]].concat())?;
    test(&toolchain, &ACTIVATION.split(' ').collect::<Vec<_>>())
}

fn test<S: AsRef<OsStr>>(toolchain: &Toolchain, arguments: &[S]) -> Result {
    let packages = "-p xielu-kernels-simd -p xielu --features safetensors,tokenizer";
    toolchain
        .cargo(&format!("test {packages} --no-fail-fast"), "-Zbuild-std")
        .args(arguments)
        .env("XIELU_SUM_ELEMENTS", "100000")
        .env(&variable(TARGET, "LINKER"), "s390x-linux-gnu-gcc")
        .env(&variable(TARGET, "RUNNER"), "qemu-s390x -L /usr/s390x-linux-gnu")
        .run()
}
