//! Emulated microcontrollers: the firmware on four boards, and the C interface.

use crate::cross::{Toolchain, rust_lld, variable};
use crate::shell::{Result, program, root, sh, target};
use crate::tools::all_there;

const TARGETS: [&str; 5] = [
    "thumbv7m-none-eabi",
    "thumbv7em-none-eabihf",
    "thumbv8m.main-none-eabihf",
    "thumbv8m.main-none-eabi",
    "riscv32imac-unknown-none-elf",
];

/// What the boards log, what they hold, what they take; with `--all` with other features too;
/// `--bless` writes all snapshots anew.
pub fn run(arguments: &[String]) -> Result {
    let what = "firmware";
    if !all_there(what, &[("qemu", "qemu-system-arm"), ("qemu", "qemu-system-riscv32")])? {
        return Ok(());
    }
    let mut toolchains = Vec::new();
    for target in TARGETS {
        let Some(toolchain) = Toolchain::find(target, what)? else { return Ok(()) };
        toolchains.push(toolchain);
    }
    // One compiler for all: the one that builds the library, if any target needs it.
    let from_source = toolchains.iter().find(|toolchain| toolchain.is_from_source());
    let toolchain = from_source.unwrap_or(&toolchains[0]);
    let defmt = defmt_print()?;
    let check = program(root().join("examples/cortex-m/check.sh")).args(arguments);
    let std = "-Zbuild-std=core -Zbuild-std-features=compiler-builtins-mem";
    let mut check = toolchain.script(check, std);
    for target in TARGETS {
        check = check.env(&variable(target, "LINKER"), rust_lld()?);
    }
    check.env("CARGO_TARGET_DIR", target("firmware")).env("DEFMT_PRINT", defmt).run()
}

/// The program that decodes the firmware's log.
fn defmt_print() -> Result<std::path::PathBuf> {
    let installed = target("tools/bin/defmt-print");
    if !installed.exists() {
        sh("cargo install --quiet --locked defmt-print@1.2.0 --root target/tools").run()?;
    }
    Ok(installed)
}

/// The C interface: the emulated board generates what this machine does.
pub fn c_bare() -> Result {
    let what = "C on a microcontroller";
    let tools = [("arm-gcc", "arm-none-eabi-gcc"), ("qemu", "qemu-system-arm"), ("cc", "make")];
    if !all_there(what, &tools)? {
        return Ok(());
    }
    let Some(toolchain) = Toolchain::find("thumbv7em-none-eabihf", what)? else { return Ok(()) };
    let out = format!("OUT={}", target("bare-c").display());
    let make = sh("make -C examples/c/bare check").arg(out);
    toolchain.script(make, "-Zbuild-std=core").run()
}
