//! What tests and benches share. Not published.

pub mod noise;
pub mod require;
pub mod ulp;

#[cfg(feature = "models")]
pub mod goldens;
#[cfg(feature = "models")]
pub mod hf;
#[cfg(feature = "models")]
pub mod kernels;
#[cfg(feature = "models")]
pub mod toy;
#[cfg(feature = "models")]
pub mod ways_in;
#[cfg(feature = "models")]
pub mod widened;

use std::path::{Path, PathBuf};

/// A file or folder of the repository, by its path in it.
pub fn in_repository(path: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(path)
}
