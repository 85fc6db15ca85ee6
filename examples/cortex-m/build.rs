//! The memory map of the board that goes with the target, and the linker scripts.

use std::path::PathBuf;

fn main() {
    let variable = |name| std::env::var(name).unwrap_or_default();
    let board = match variable("TARGET").as_str() {
        // Code of the least Cortex-M runs on it too.
        "thumbv7m-none-eabi" | "thumbv6m-none-eabi" => "mps2-an385",
        "thumbv7em-none-eabihf" => "mps2-an386",
        "thumbv8m.main-none-eabihf" => "mps3-an547",
        "thumbv8m.main-none-eabi" => "mps2-an521",
        "riscv32imac-unknown-none-elf" => "riscv-virt",
        _ => return, // the host
    };
    println!("cargo:rustc-env=BOARD={board}");
    let map = format!("boards/{board}.x");
    println!("cargo:rerun-if-changed={map}");
    let out = PathBuf::from(variable("OUT_DIR"));
    std::fs::copy(&map, out.join("memory.x")).expect("the board's memory map");
    println!("cargo:rustc-link-search={}", out.display());
    let riscv = variable("CARGO_CFG_TARGET_ARCH") == "riscv32";
    let scripts: &[&str] = if riscv { &["-Tmemory.x", "-Tlink.x"] } else { &["-Tlink.x"] };
    for script in scripts.iter().chain(&["-Tdefmt.x"]) {
        for bin in ["firmware", "products", "messages", "prompt", "small", "tokenizer", "streamed"]
        {
            println!("cargo:rustc-link-arg-bin={bin}={script}");
        }
    }
}
