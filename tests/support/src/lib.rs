//! What tests and benches share. Not published.

pub mod bundled;
pub mod decoding;
pub mod goldens;
pub mod hf;
pub mod kernels;
pub mod toy;
pub mod vectors;
pub mod ways_in;
pub mod widened;

use std::path::{Path, PathBuf};

pub use xielu_testing_base::{isas, noise, require, ulp};

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
