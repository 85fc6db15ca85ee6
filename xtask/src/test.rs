//! Tests on this machine.

use crate::shell::{Result, sh};

/// The README's command; arguments as `cargo test` takes them.
pub fn native(arguments: &[String]) -> Result {
    sh("cargo test --workspace --all-features --no-fail-fast").args(arguments).run()
}

/// The kernels of which every CPU is capable, where the others would be chosen.
pub fn scalar() -> Result {
    sh("cargo test -p xielu-kernels-simd --no-fail-fast --target-dir target/scalar")
        .env("RUSTFLAGS", "--cfg xielu_force_scalar")
        .run()
}
