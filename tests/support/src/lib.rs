//! What tests and benches share. Not published.

pub mod isas;
pub mod noise;
pub mod require;
pub mod ulp;

#[cfg(feature = "models")]
pub mod bundled;
#[cfg(feature = "models")]
pub mod decoding;
#[cfg(feature = "models")]
pub mod goldens;
#[cfg(feature = "models")]
pub mod hf;
#[cfg(feature = "models")]
pub mod kernels;
#[cfg(feature = "models")]
pub mod toy;
#[cfg(feature = "models")]
pub mod vectors;
#[cfg(feature = "models")]
pub mod ways_in;
#[cfg(feature = "models")]
pub mod widened;

use std::path::{Path, PathBuf};

/// A file or folder of the repository, by its path in it.
pub fn in_repository(path: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(path)
}

/// `|found - truth| / |truth|`, Euclidean.
///
/// # Panics
/// If the lengths differ.
pub fn relative_error<A: Copy + Into<f64>, B: Copy + Into<f64>>(found: &[A], truth: &[B]) -> f64 {
    assert_eq!(found.len(), truth.len());
    let square = |v: f64| v * v;
    let error: f64 = found.iter().zip(truth).map(|(&a, &b)| square(a.into() - b.into())).sum();
    (error / truth.iter().map(|&b| square(b.into())).sum::<f64>()).sqrt()
}
