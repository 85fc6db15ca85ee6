//! The C interface: every function from Rust, and C programs.

mod activation;
mod arena;
mod decoder;
mod decoder_refusals;
#[cfg(target_os = "linux")]
mod examples;
mod gguf;
mod gradients;
mod header;
mod held;
mod mlp;
mod sampler;
#[cfg(all(feature = "std", target_os = "linux"))]
mod stress;
mod support;
#[cfg(feature = "std")]
mod tile;
#[cfg(feature = "std")]
mod tokenizer;
#[cfg(target_os = "linux")]
mod two_libraries;
