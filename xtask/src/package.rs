//! The packages as a registry would get them: packed, compared with limits of size, and built from
//! nothing but what was packed.

use std::path::PathBuf;
use std::{env, fs};

use crate::metadata;
use crate::shell::{Result, sh, target};

/// Bytes of each package, compressed. Most of the first is the model of its examples.
const LIMITS: &[(&str, u64)] =
    &[("xielu", 1_800_000), ("xielu-kernels-simd", 250_000), ("xielu-kernels-cuda", 1_500_000)];
const FILES: [&str; 3] = ["README.md", "LICENSE-MIT", "LICENSE-APACHE"];

pub fn run() -> Result {
    let packages = metadata::workspace()?;
    for package in &packages {
        if package.published && !LIMITS.iter().any(|(name, _)| *name == package.name) {
            return Err(format!("{} is published and has no limit of size", package.name));
        }
    }
    forget_unpacked(&packages)?;
    // Each is verified against the packed form of the others, which no registry needs to have.
    sh("cargo package --quiet --workspace --exclude xtask --locked --allow-dirty")
        .args(["--exclude", "xielu-testing", "--exclude", "xielu-testing-base"])
        .run()?;
    for package in metadata::workspace()?.iter().filter(|package| package.published) {
        check(&package.name, &package.version)?;
    }
    Ok(())
}

/// Removes what Cargo unpacked of these packages when they were verified before: it takes that for
/// the packages of today, which have the same version.
fn forget_unpacked(packages: &[metadata::Package]) -> Result {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo")));
    let Some(registries) = home.and_then(|home| fs::read_dir(home.join("registry/src")).ok())
    else {
        return Ok(());
    };
    for registry in registries.flatten() {
        for package in packages {
            let unpacked = registry.path().join(format!("{}-{}", package.name, package.version));
            if unpacked.exists() {
                fs::remove_dir_all(&unpacked)
                    .map_err(|error| format!("{}: {error}", unpacked.display()))?;
            }
        }
    }
    Ok(())
}

fn check(name: &str, version: &str) -> Result {
    let packed = target("package").join(format!("{name}-{version}.crate"));
    let bytes = fs::metadata(&packed).map_err(|error| format!("{}: {error}", packed.display()))?;
    let bytes = bytes.len();
    let list = sh("cargo package --list --allow-dirty --package").arg(name).read()?;
    println!("{name} {version}: {bytes} bytes, {} files", list.lines().count());
    for file in FILES {
        if !list.lines().any(|line| line == file) {
            return Err(format!("{name} has no {file}"));
        }
    }
    let limit = LIMITS.iter().find(|(known, _)| *known == name).map_or(0, |(_, limit)| *limit);
    if bytes > limit {
        return Err(format!("{name}: {bytes} bytes, more than {limit}"));
    }
    Ok(())
}
