//! Kernels for wasm32.

pub(crate) mod simd128;
