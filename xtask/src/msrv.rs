//! The minimum supported Rust version: what every dependency states, and the code by that compiler
//! where it is installed, but for training: candle needs a newer one than it states. (Where it is
//! not, clippy's `incompatible_msrv`, one of the warnings that `lint` denies, knows most of it for
//! our own code.)

use crate::metadata;
use crate::shell::{Result, sh};
use crate::tools::skip;

pub fn run() -> Result {
    let packages = metadata::packages()?;
    let ours = packages.iter().find(|package| package.name == "xielu");
    let ours = ours.and_then(|package| package.rust_version.clone()).ok_or("no rust-version")?;
    let newer: Vec<_> = packages
        .iter()
        .filter_map(|package| Some((package, package.rust_version.as_ref()?)))
        .filter(|(_, version)| number(version) > number(&ours))
        .map(|(package, version)| format!("{} {}: {version}", package.name, package.version))
        .collect();
    if !newer.is_empty() {
        return Err(format!("dependencies need more than Rust {ours}:\n{}", newer.join("\n")));
    }
    println!("no dependency states a version above {ours}");
    if sh(&format!("cargo +{ours} --version")).read().is_err() {
        return skip("msrv", &format!("Rust {ours}"), &format!("rustup toolchain install {ours}"));
    }
    let check = "check --workspace --features cli,capi,micromath,cuda --locked";
    let check = format!("{check} --target-dir target/msrv");
    sh(&format!("cargo +{ours} {check}")).run()
}

/// `1.89` as `[1, 89, 0]`.
fn number(version: &str) -> [u32; 3] {
    let mut parts = version.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
    std::array::from_fn(|_| parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn versions_compare_by_number() {
        assert!(number("1.100") > number("1.89.0") && number("1.89") == number("1.89.0"));
        assert!(number("2") > number("1.89.3"));
    }
}
