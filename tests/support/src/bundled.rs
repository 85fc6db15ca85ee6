//! The trained model in the files that llama.cpp wrote.

use std::fs;

use crate::in_repository;

/// Its path in the repository, in Q8_0.
pub const Q8_0: &str = "tests/data/tiny-Q8_0.gguf";

/// The file, in Q8_0.
///
/// # Panics
/// If it cannot be read.
pub fn bytes() -> Vec<u8> {
    fs::read(in_repository(Q8_0)).unwrap()
}

/// The file with `from` replaced by `to` where it first occurs after `after`.
///
/// # Panics
/// If they are not there, or `to` is not as long as `from`.
pub fn patched(after: &str, from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes();
    let find = |bytes: &[u8], what: &[u8]| {
        bytes.windows(what.len()).position(|window| window == what).unwrap()
    };
    let start = find(&bytes, after.as_bytes()) + after.len();
    let at = start + find(&bytes[start..], from);
    bytes[at..at + to.len()].copy_from_slice(to);
    bytes
}
