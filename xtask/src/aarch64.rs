//! The core on emulated 64-bit Arm.

use crate::cross::{Toolchain, variable};
use crate::shell::Result;
use crate::tools::all_there;

const TARGET: &str = "aarch64-unknown-linux-gnu";

/// Those of the tests that the instruction set matters for. The activations have the same bits on
/// all, as the library's own tests show.
const TESTS: &[&str] = &["decoder", "no_alloc", "quant"];

/// Three CPUs: NEON alone, with dot products, with matrix products of bytes. With `all`, every
/// test on the last.
pub fn run(all: bool) -> Result {
    let what = "tests on aarch64";
    let tools = [("aarch64-gcc", "aarch64-linux-gnu-gcc"), ("qemu", "qemu-aarch64")];
    if !all_there(what, &tools)? {
        return Ok(());
    }
    let Some(toolchain) = Toolchain::find(TARGET, what)? else { return Ok(()) };
    let mut tests = vec!["--lib"];
    tests.extend(TESTS.iter().flat_map(|name| ["--test", name]));
    test(&toolchain, "max", if all { &[] } else { &tests })?;
    for cpu in ["cortex-a53", "cortex-a76"] {
        // The activations are the same on all.
        test(&toolchain, cpu, &["--lib", "--", "--skip", "activation"])?;
        test(&toolchain, cpu, &["--test", "decoder", "random_weights::"])?;
    }
    Ok(())
}

fn test(toolchain: &Toolchain, cpu: &str, tests: &[&str]) -> Result {
    toolchain
        .cargo("test -p xielu-kernels-simd -p xielu --no-fail-fast", "-Zbuild-std")
        .args(tests)
        .env("XIELU_SUM_ELEMENTS", "100000")
        .env(&variable(TARGET, "LINKER"), "aarch64-linux-gnu-gcc")
        .env(
            &variable(TARGET, "RUNNER"),
            format!("qemu-aarch64 -cpu {cpu} -L /usr/aarch64-linux-gnu"),
        )
        .run()
}
