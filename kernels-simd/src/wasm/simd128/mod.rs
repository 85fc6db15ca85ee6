//! The 128-bit vectors of WebAssembly.

pub(crate) mod activation;
