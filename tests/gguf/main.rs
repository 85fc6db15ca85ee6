//! GGUF files: what llama.cpp wrote, what is written here, and what is malformed.

mod fixtures;
mod fuzz_seeds;
mod hostile;
#[cfg(feature = "std")]
mod model;
mod raw;
#[cfg(feature = "mmap")]
mod split;
mod walk;
#[cfg(feature = "std")]
mod writer;
