//! GGUF files: what llama.cpp wrote, what is written here, and what is malformed.

#[cfg(feature = "std")]
mod alphas;
mod fixtures;
mod fuzz_seeds;
mod hostile;
#[cfg(feature = "std")]
mod model;
#[cfg(feature = "std")]
mod model_refusals;
#[cfg(feature = "std")]
#[path = "../../benches/support/random_model.rs"]
mod random_model;
#[cfg(feature = "std")]
mod random_models;
mod raw;
#[cfg(feature = "mmap")]
mod split;
mod walk;
#[cfg(feature = "std")]
mod writer;
#[cfg(feature = "std")]
mod written_model;
