//! A C program that calls everything with hostile arguments, in memory that ends at a guard page;
//! and a shorter run of it under valgrind.

use std::path::{Path, PathBuf};
use std::process::Command;

use xielu::kernels::DType;
use xielu_testing::require;

use crate::support::compiled::{compile, libraries, static_library, succeeds};
use crate::support::narrow::narrow;

/// The bundled models and one with K-quants, whose tiles are multiples of 256.
fn models() -> Vec<PathBuf> {
    let k_quants = libraries().join("narrow-Q4_K.gguf");
    std::fs::write(&k_quants, narrow(DType::Q4_K, 2)).unwrap();
    let bundled = ["Q8_0", "Q4_0", "bf16"].map(|name| format!("tests/data/tiny-{name}.gguf"));
    bundled.into_iter().map(PathBuf::from).chain([k_quants]).collect()
}

fn stress() -> Option<PathBuf> {
    let compiler = require::any_program("cc", &["gcc", "clang"])?;
    let source = Path::new("tests/capi/stress.c");
    Some(compile(compiler, source, &["-std=c99", "-Itests/capi"], &[&static_library()]))
}

/// The number of calls that the report begins with.
fn calls(report: &str) -> usize {
    report.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn hostile_calls_are_refused_and_right_ones_run() {
    let Some(program) = stress() else { return };
    for seed in ["1", "2"] {
        let report = succeeds(Command::new(&program).args(["300", seed]).args(models()));
        println!("{report}");
        assert!(calls(&report) > 8000, "{report}");
        // Every kind of refusal occurs but those of models that no damage makes.
        let met = report.lines().skip(1).filter(|line| !line.trim_start().starts_with("0 "));
        assert!(met.count() > 15, "{report}");
    }
}

#[test]
fn valgrind_finds_nothing_in_them() {
    if !require::program("valgrind", "valgrind") {
        return;
    }
    let Some(program) = stress() else { return };
    let mut command = Command::new("valgrind");
    command.args(["-q", "--error-exitcode=9", "--leak-check=full"]).arg(program);
    let report = succeeds(command.args(["12", "3"]).args(models()));
    assert!(calls(&report) > 200, "{report}");
}
