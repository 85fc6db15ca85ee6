//! Conversions between files, and files that appear whole or not at all.

mod atomic_file;
#[cfg(feature = "safetensors")]
mod errors;
#[cfg(feature = "safetensors")]
mod files;
#[cfg(feature = "safetensors")]
mod models;
