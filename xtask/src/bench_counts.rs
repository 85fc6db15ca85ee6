//! Instructions of every kernel beside those of the committed table.

use std::fs;
use std::path::PathBuf;

use crate::cross::{Toolchain, variable};
use crate::shell::{Result, root, sh, target};
use crate::tools::all_there;

const TABLE: &str = "benches/instructions/counts.md";
const TARGET: &str = "aarch64-unknown-linux-gnu";
/// How far a count may be from the table's.
const TOLERANCE: f64 = 0.01;

/// The kernels named, or all. `--bless` writes the table anew.
pub fn run(arguments: &[String]) -> Result {
    let what = "instruction counts";
    if !all_there(what, &[("python", "python3"), ("valgrind", "valgrind")])? {
        return Ok(());
    }
    let (bless, kernels): (Vec<_>, Vec<_>) = arguments.iter().partition(|one| *one == "--bless");
    let count = sh("python3 benches/instructions/count.py");
    let count = match aarch64()? {
        Some(kernel) => count.arg("--aarch64").arg(kernel),
        None => count,
    };
    let count = count.args(kernels);
    eprintln!("$ {count}");
    let counted = count.read()?;
    println!("{counted}");
    let path = root().join(TABLE);
    let compiler = sh("rustc --version").read()?;
    if !bless.is_empty() {
        let text = format!("{}\n\n{counted}\n", introduction(&compiler));
        return fs::write(path, text).map_err(|error| format!("{TABLE}: {error}"));
    }
    let expected = fs::read_to_string(path).map_err(|error| format!("{TABLE}: {error}"))?;
    if !expected.contains(&compiler) {
        println!("{TABLE} was made with another compiler than {compiler}");
    }
    compare(&cells(&expected), &cells(&counted))
}

/// The program that runs the kernels, for aarch64.
fn aarch64() -> Result<Option<PathBuf>> {
    let what = "instruction counts of aarch64";
    let tools = [("qemu", "qemu-aarch64"), ("aarch64-gcc", "aarch64-linux-gnu-gcc")];
    if !all_there(what, &tools)? {
        return Ok(None);
    }
    let Some(toolchain) = Toolchain::find(TARGET, what)? else { return Ok(None) };
    let build = "build --release -p xielu-kernels-simd --example kernel";
    let linker = variable(TARGET, "LINKER");
    toolchain.cargo(build, "-Zbuild-std").env(&linker, "aarch64-linux-gnu-gcc").run()?;
    Ok(Some(target("cross").join(TARGET).join("release/examples/kernel")))
}

fn introduction(compiler: &str) -> String {
    format!(
        "# Instructions of each kernel\n\n\
         For each value (activations, softmax) or multiply-accumulate (products, `TYPExTOKENS`; \
         attention of 128 queries), with {compiler}; aarch64 with the compiler that `cargo xtask bench-counts` finds for it. A count \
         that differs by more than {} % fails there; `--bless` writes this file.",
        TOLERANCE * 100.0
    )
}

/// A count with the names of its kernel and instruction set.
type Cell<'a> = ((&'a str, &'a str), f64);

/// The numbers of a table whose first line names the instruction sets.
fn cells(table: &str) -> Vec<Cell<'_>> {
    let mut rows = table
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>());
    let sets = rows.next().unwrap_or_default();
    let mut found = Vec::new();
    for row in rows {
        for (set, cell) in sets.iter().zip(&row).skip(1) {
            if let Ok(count) = cell.parse() {
                found.push(((row[0], *set), count));
            }
        }
    }
    found
}

/// Every count; this CPU or the table may lack an instruction set, the table no kernel of one that
/// it has.
fn compare(expected: &[Cell], counted: &[Cell]) -> Result {
    let mut compared = 0;
    let mut wrong = Vec::new();
    for ((kernel, set), count) in counted {
        if !expected.iter().any(|((_, known), _)| known == set) {
            continue;
        }
        let Some((_, known)) = expected.iter().find(|(cell, _)| *cell == (*kernel, *set)) else {
            wrong.push(format!("{kernel} on {set}: {count}, not in the table"));
            continue;
        };
        compared += 1;
        if (count - known).abs() > known * TOLERANCE {
            let change = (count / known - 1.0) * 100.0;
            wrong.push(format!("{kernel} on {set}: {count} where it was {known} ({change:+.1} %)"));
        }
    }
    if compared == 0 {
        wrong.push("nothing was counted".into());
    }
    if !wrong.is_empty() {
        return Err(format!("outside {} %:\n{}", TOLERANCE * 100.0, wrong.join("\n")));
    }
    println!("{compared} counts within {} % of {TABLE}", TOLERANCE * 100.0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "text\n\n| instructions | scalar | avx2 |\n|---|---|---|\n\
                         | a | 10.0 | 2.00 |\n| b | 20.0 | - |\n";

    #[test]
    fn a_table_is_read() {
        let expected = [(("a", "scalar"), 10.0), (("a", "avx2"), 2.0), (("b", "scalar"), 20.0)];
        assert_eq!(cells(TABLE), expected);
    }

    #[test]
    fn counts_outside_the_tolerance_and_unknown_ones_fail() {
        let table = cells(TABLE);
        let with = |kernel, set, count| compare(&table, &[((kernel, set), count)]);
        assert!(with("a", "scalar", 10.09).is_ok() && with("a", "avx2", 1.981).is_ok());
        assert!(with("a", "scalar", 10.11).is_err() && with("a", "scalar", 9.89).is_err());
        let more = [(("a", "scalar"), 10.0), (("a", "neon"), 3.0)];
        assert!(compare(&table, &more).is_ok(), "the table has no such instruction set");
        assert!(with("c", "scalar", 1.0).is_err() && with("b", "avx2", 1.0).is_err());
        assert!(compare(&table, &[]).is_err());
    }
}
