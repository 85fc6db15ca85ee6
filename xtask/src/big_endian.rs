//! Readers, encoders and the scalar kernels where bytes have the other order: emulated s390x.

use std::ffi::OsStr;
use std::fs;

use crate::cross::{Toolchain, variable};
use crate::shell::{Result, sh, target};
use crate::tools::{all_there, skip};

const TARGET: &str = "s390x-unknown-linux-gnu";

/// Those of the tests that read bytes of files.
const READERS: &[&str] = &["bpe", "gguf", "hf"];
/// Those that read, write and compute.
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
    if !multiplies()? {
        skip("qemu-s390x", "arithmetic on s390x", "this emulator's MDEBR is wrong, as qemu 7.2's")?;
        let readers: Vec<&str> = READERS.iter().flat_map(|name| ["--test", name]).collect();
        return test(&toolchain, &readers);
    }
    let tests: Vec<&str> = TESTS.iter().flat_map(|name| ["--test", name]).collect();
    test(&toolchain, &[&["--lib"], &tests[..]].concat())?;
    test(&toolchain, &ACTIVATION.split(' ').collect::<Vec<_>>())
}

/// Whether the emulator multiplies two f32 to an f64 (MDEBR) as the machine does: qemu 7.2 does not
/// widen the first, and 3 times 4 is not 12.
fn multiplies() -> Result<bool> {
    let folder = target("s390x");
    let (source, program) = (folder.join("multiplies.c"), folder.join("multiplies"));
    let write = fs::create_dir_all(&folder).and_then(|()| fs::write(&source, MULTIPLIES));
    write.map_err(|error| format!("{}: {error}", source.display()))?;
    sh("s390x-linux-gnu-gcc -O2 -static -o").arg(&program).arg(&source).run()?;
    Ok(sh("qemu-s390x").arg(&program).read()? == "12")
}

const MULTIPLIES: &str = r#"
#include <stdio.h>
volatile float x = 3, y = 4;
int main(void) {
    float a = x, b = y;
    double d;
    __asm__("ler %%f0,%1\n\tmdebr %%f0,%2\n\tldr %0,%%f0" : "=f"(d) : "f"(a), "f"(b) : "f0");
    printf("%g", d);
}
"#;

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
