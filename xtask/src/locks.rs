//! Lock files that say what the manifests say: those of the workspaces of their own, too.

use std::path::Path;

use crate::shell::{Result, sh};

pub fn run() -> Result {
    let mut stale = Vec::new();
    for lock in sh("git ls-files *Cargo.lock").read()?.lines() {
        let manifest = Path::new(lock).with_file_name("Cargo.toml");
        let metadata = sh("cargo metadata --locked --format-version 1 --manifest-path");
        if let Err(error) = metadata.arg(manifest).read() {
            stale.push(format!("{lock}: {error}"));
        }
    }
    if stale.is_empty() { Ok(()) } else { Err(stale.join("\n")) }
}
