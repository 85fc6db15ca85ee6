//! Bare targets: the core without an allocator, and the program that links only if no panic is
//! reachable.

use crate::cross::{Toolchain, rust_lld, variable};
use crate::shell::{Result, sh};

const PROGRAM: &str = "--manifest-path examples/no-panic/Cargo.toml";
const WHAT: &str = "no_std build";

/// With `all`, optimised for size too, and on more targets.
pub fn run(all: bool) -> Result {
    for level in if all { &["3", "z"][..] } else { &["3"] } {
        sh(&format!("cargo build --release --target-dir target/no-panic {PROGRAM}"))
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", level)
            .run()?;
    }
    // Other steps build for the others.
    for target in some(all, ["thumbv6m-none-eabi", "thumbv7em-none-eabi"]) {
        if let Some(toolchain) = Toolchain::find(target, WHAT)? {
            let check = "check -p xielu --no-default-features";
            toolchain.cargo(check, "-Zbuild-std=core").run()?;
        }
    }
    let lld = rust_lld()?;
    for target in some(all, ["thumbv7em-none-eabihf", "riscv32imac-unknown-none-elf"]) {
        if let Some(toolchain) = Toolchain::find(target, WHAT)? {
            let core = "-Zbuild-std=core -Zbuild-std-features=compiler-builtins-mem";
            let build = toolchain.cargo(&format!("build --release {PROGRAM}"), core);
            build.env(&variable(target, "LINKER"), &lld).run()?;
        }
    }
    Ok(())
}

/// The first of two targets, or both.
fn some(all: bool, targets: [&'static str; 2]) -> impl Iterator<Item = &'static str> {
    targets.into_iter().take(if all { 2 } else { 1 })
}
