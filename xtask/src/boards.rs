//! Firmware for boards that a person can buy: built for their chips, and what of them it takes.

use std::fs;
use std::path::Path;

use crate::cross::{Toolchain, rust_lld, variable};
use crate::shell::{Result, program, root, target};
use crate::tools::all_there;

/// A folder of `examples/boards`, its target, and what is on it.
const BOARDS: [(&str, &str, &str); 5] = [
    ("pico2", "thumbv8m.main-none-eabihf", "RP2350, Cortex-M33"),
    ("pico2-riscv", "riscv32imac-unknown-none-elf", "RP2350, Hazard3"),
    ("nrf54l15-dk", "thumbv8m.main-none-eabihf", "nRF54L15, Cortex-M33"),
    ("nucleo-h743zi", "thumbv7em-none-eabihf", "STM32H743, Cortex-M7"),
    ("esp32c6", "riscv32imac-unknown-none-elf", "ESP32-C6, RV32IMAC"),
];

/// Sections that lie in flash, likewise; and gaps of which nothing is stored.
const FLASH: [&str; 11] = [
    ".vector_table",
    ".start_block",
    ".boot",
    ".text",
    ".rodata",
    ".data",
    ".gnu.sgstubs",
    ".trap",
    ".rwtext",
    ".flash",
    ".rtc_fast",
];
const GAPS: [&str; 2] = [".text_gap", ".text.dummy"];

/// Sections that lie in RAM, by the words their names begin with.
const RAM: [&str; 6] = [".data", ".bss", ".uninit", ".noinit", ".rwtext", ".trap"];
/// What RP2350's boot ROM looks for in the first 4 KB of flash, by the names of its section.
const IMAGE_DEFINITION: [&str; 2] = [".start_block", ".boot"];
const RP2350_FLASH: std::ops::Range<u64> = 0x1000_0000..0x1000_1000;

/// Builds every board, or those named, and prints how large they are.
pub fn run(names: &[String]) -> Result {
    let what = "boards";
    if let Some(name) = names.iter().find(|name| !BOARDS.iter().any(|board| board.0 == **name)) {
        return Err(format!("there is no board {name}"));
    }
    if !all_there(what, &[("cc", "size")])? {
        return Ok(());
    }
    let mut rows = String::new();
    let boards =
        BOARDS.iter().filter(|board| names.is_empty() || names.iter().any(|n| n == board.0));
    for &(name, triple, chip) in boards {
        let Some(toolchain) = Toolchain::find(triple, what)? else { return Ok(()) };
        let std = "-Zbuild-std=core,alloc -Zbuild-std-features=compiler-builtins-mem";
        toolchain
            .cargo("build --release --locked", std)
            .dir(root().join("examples/boards").join(name))
            .env(&variable(triple, "LINKER"), rust_lld()?)
            .env("CARGO_TARGET_DIR", target("boards"))
            .run()?;
        let program = target("boards").join(triple).join("release").join(name);
        rows += &row(name, chip, &program)?;
    }
    println!("| board | chip | flash | static RAM |\n|---|---|---|---|\n{rows}");
    Ok(())
}

fn row(name: &str, chip: &str, elf: &Path) -> Result<String> {
    let model = root().join("models/tiny-Q8_0.gguf");
    let model = fs::metadata(model).map_err(|error| error.to_string())?.len();
    let sections = program("size").arg("-A").arg(elf).read()?;
    let ram: u64 = sections.lines().filter_map(ram).sum();
    let flash: u64 = sections.lines().filter_map(flash).sum();
    if chip.starts_with("RP2350") && !sections.lines().any(boots) {
        return Err(format!("{name}: no image definition in the first 4 KB of flash"));
    }
    let kib = |bytes: u64| format!("{:.1} KiB", bytes as f64 / 1024.0);
    let flash = flash.saturating_sub(model);
    Ok(format!("| {name} | {chip} | {} | {} |\n", kib(flash), kib(ram)))
}

/// The size of a section in RAM, by a line of `size -A`: name, size, address.
fn ram(line: &str) -> Option<u64> {
    size_if(line, &RAM)
}

/// The size of a section of which flash has a copy.
fn flash(line: &str) -> Option<u64> {
    size_if(line, &FLASH)
        .filter(|_| !GAPS.iter().any(|gap| line.split_whitespace().next() == Some(gap)))
}

fn size_if(line: &str, prefixes: &[&str]) -> Option<u64> {
    let mut words = line.split_whitespace();
    words.next().filter(|name| prefixes.iter().any(|prefix| name.starts_with(prefix)))?;
    words.next()?.parse().ok()
}

/// Whether a line of `size -A` is of an image definition where the boot ROM finds it.
fn boots(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [name, size, address] = words[..] else { return false };
    let (Ok(size), Ok(address)) = (size.parse::<u64>(), address.parse::<u64>()) else {
        return false;
    };
    let end = address.saturating_add(size);
    IMAGE_DEFINITION.contains(&name)
        && size > 0
        && RP2350_FLASH.contains(&address)
        && end <= RP2350_FLASH.end
}

#[cfg(test)]
mod tests {
    use super::{boots, flash, ram};

    #[test]
    fn an_image_definition_is_in_the_first_4_kb() {
        assert!(boots(".start_block   20   268435832"));
        assert!(!boots(".start_block   0   268435832"));
        assert!(!boots(".start_block   20   268439540"));
        assert!(!boots(".text   20   268435456"));
        assert!(!boots("section  size  addr"));
    }

    #[test]
    fn only_what_is_stored_counts() {
        assert_eq!(flash(".rodata  1266280  1107296544"), Some(1_266_280));
        assert_eq!(flash(".data   1208   1082133648"), Some(1208));
        assert_eq!(flash(".text_gap   44184  1108562824"), None);
        assert_eq!(flash(".stack   171528  1082411016"), None);
        assert_eq!(flash(".bss   276160  1082134856"), None);
    }

    #[test]
    fn only_sections_in_ram_count() {
        assert_eq!(ram(".bss   106512   536870912"), Some(106_512));
        assert_eq!(ram(".data.wifi  8  0"), Some(8));
        assert_eq!(ram(".rodata  1254080  64180"), None);
        assert_eq!(ram("section  size  addr"), None);
        assert_eq!(ram(""), None);
    }
}
