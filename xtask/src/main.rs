//! Every check of the project by name: `cargo xtask --help` lists them.

mod licences;
mod lint;
mod metadata;
mod msrv;
mod shell;
mod skip;
mod test;

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
        about: "all tests on this machine, as the README has them",
        run: |arguments| test::native(arguments),
    },
    Step {
        name: "scalar",
        about: "tests of the CPU kernels with SIMD switched off",
        run: |_| test::scalar(),
    },
    Step {
        name: "lint",
        about: "all of these, or the parts named: fmt clippy doc licences",
        run: |parts| lint::run(parts),
    },
    Step {
        name: "msrv",
        about: "no dependency states a Rust version above ours",
        run: |_| msrv::run(),
    },
];

fn usage() -> String {
    let mut text = String::from("Usage: cargo xtask STEP [ARGUMENTS]\n\nSteps:\n");
    for step in STEPS {
        text += &format!("  {:<13} {}\n", step.name, step.about);
    }
    text + "\n" + &skip::help()
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
        Err(error) => {
            eprintln!("cargo xtask {name}: {error}");
            ExitCode::FAILURE
        }
    }
}
