//! What can be known of the source without running it.

use crate::shell::{Result, sh};
use crate::{docs, layers, licences, locks};

type Check = fn() -> Result;

const PARTS: &[(&str, Check)] = &[
    ("fmt", fmt),
    ("clippy", clippy),
    ("doc", doc),
    ("licences", licences::run),
    ("locks", locks::run),
    ("docs", docs::check),
    ("layers", layers::run),
];

/// The parts named, or all.
pub fn run(names: &[String]) -> Result {
    if let Some(name) = names.iter().find(|name| !PARTS.iter().any(|(part, _)| part == name)) {
        return Err(format!("{name} is no part of lint"));
    }
    for (part, check) in PARTS {
        if names.is_empty() || names.iter().any(|name| name == part) {
            check()?;
        }
    }
    Ok(())
}

fn fmt() -> Result {
    sh("cargo fmt --all --check").run()?;
    sh("cargo fmt --all --check --manifest-path examples/web/Cargo.toml").run()
}

fn clippy() -> Result {
    for what in [
        "--workspace --all-targets --no-default-features",
        "--workspace --all-targets --all-features",
        "--all-targets --no-default-features --features capi",
        // A workspace of its own; its dependency is C++.
        "--manifest-path fuzz/Cargo.toml --target-dir target/fuzz",
    ] {
        sh(&format!("cargo clippy {what} -- -D warnings")).run()?;
    }
    Ok(())
}

fn doc() -> Result {
    sh("cargo doc --workspace --no-deps --all-features").env("RUSTDOCFLAGS", "-D warnings").run()
}
