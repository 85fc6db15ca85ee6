//! Every check of the project by name: `cargo xtask --help` lists them.

mod aarch64;
mod bench_counts;
mod big_endian;
mod boards;
mod ci;
mod cross;
mod cuda;
mod docs;
mod firmware;
mod fuzz;
mod layers;
mod licences;
mod lint;
mod locks;
mod man;
mod metadata;
mod miri;
mod msrv;
mod no_std;
mod package;
mod results;
mod shell;
mod test;
mod tools;
mod wasm;
mod web;
mod wheels;

use std::process::ExitCode;

use shell::Result;

/// A check that can be run alone: `cargo xtask NAME`.
struct Step {
    name: &'static str,
    /// One line for `--help`.
    about: &'static str,
    run: fn(&[String]) -> Result,
}

const STEPS: &[Step] = &[
    Step {
        name: "test",
        about: "all tests on this machine, as the README has them; arguments are cargo's",
        run: |arguments| test::native(arguments),
    },
    Step {
        name: "scalar",
        about: "tests of the CPU kernels with SIMD switched off",
        run: |_| test::scalar(),
    },
    Step {
        name: "lint",
        about: "all of these, or the parts named: fmt clippy doc licences locks docs layers",
        run: |parts| lint::run(parts),
    },
    Step {
        name: "msrv",
        about: "the minimum Rust version: what dependencies state, and a build with it",
        run: |_| msrv::run(),
    },
    Step {
        name: "cuda",
        about: "CUDA kernels without a device: PTX, spills, host twins, a driver that pretends",
        run: |_| cuda::run(),
    },
    Step {
        name: "package",
        about: "the packages packed, built from what was packed, and their sizes",
        run: |_| package::run(),
    },
    Step {
        name: "fuzz",
        about: "a minute of fuzzing, or SECONDS [TARGET...]",
        run: |arguments| fuzz::run(arguments),
    },
    Step {
        name: "no-std",
        about: "bare targets, and the program that links only without panics; --all: for size too",
        run: |arguments| no_std::run(all(arguments)?),
    },
    Step {
        name: "c-bare",
        about: "the C interface on an emulated board",
        run: |_| firmware::c_bare(),
    },
    Step {
        name: "firmware",
        about: "the model on four emulated boards; --all: more features; --bless writes what they log",
        run: |arguments| firmware::run(arguments),
    },
    Step {
        name: "boards",
        about: "firmware for real boards, built and not run, or that for those named",
        run: |names| boards::run(names),
    },
    Step {
        name: "aarch64",
        about: "the core on three emulated CPUs; --all: every test",
        run: |arguments| aarch64::run(all(arguments)?),
    },
    Step { name: "wasm", about: "the kernels in WebAssembly under Node", run: |_| wasm::run() },
    Step { name: "web", about: "the page in headless Chromium", run: |_| web::run() },
    Step {
        name: "ci",
        about: "all of the above in two lanes; --all is passed on; the last line is the tests' total",
        run: |arguments| ci::run(arguments),
    },
    Step {
        name: "docs",
        about: "the tree and the table of kernels in docs/, from the source; --check: compare",
        run: |arguments| docs::run(arguments),
    },
    Step {
        name: "layers",
        about: "imports point one way: no circle among files, none upward among rooms",
        run: |_| layers::run(),
    },
    Step {
        name: "wheels",
        about: "the Python package for this machine and aarch64, tested; [PYTHON with torch]",
        run: |arguments| wheels::run(arguments),
    },
    Step { name: "man", about: "manual pages of the command, in target/man", run: |_| man::run() },
    Step {
        name: "s390x",
        about: "readers, encoders and scalar kernels on an emulated big-endian machine",
        run: |arguments| big_endian::run(arguments),
    },
    Step {
        name: "miri",
        about: "scalar kernels and core in an interpreter that checks unsafe code; arguments: tests'",
        run: |arguments| miri::run(arguments),
    },
    Step {
        name: "bench-counts",
        about: "instructions of each kernel beside the committed table; [--bless] [KERNEL...]",
        run: |arguments| bench_counts::run(arguments),
    },
];

/// Whether `--all` is there; no other argument may be.
fn all(arguments: &[String]) -> Result<bool> {
    match arguments {
        [] => Ok(false),
        [all] if all == "--all" => Ok(true),
        _ => Err("the only argument is --all".into()),
    }
}

fn usage() -> String {
    let mut text = String::from("Usage: cargo xtask STEP [ARGUMENTS]\n\nSteps:\n");
    for step in STEPS {
        text += &format!("  {:<13} {}\n", step.name, step.about);
    }
    text + "\n" + &tools::help()
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let name = arguments.first().map_or("--help", String::as_str);
    if matches!(name, "--help" | "-h" | "help") {
        print!("{}", usage());
        return ExitCode::SUCCESS;
    }
    let Some(step) = STEPS.iter().find(|step| step.name == name) else {
        eprintln!("cargo xtask has no step {name:?}\n\n{}", usage());
        return ExitCode::from(2);
    };
    match (step.run)(&arguments[1..]) {
        Ok(()) => ExitCode::SUCCESS,
        // What a step says last stays the last line.
        Err(error) => {
            if !error.is_empty() {
                eprintln!("cargo xtask {name}: {error}");
            }
            ExitCode::FAILURE
        }
    }
}
