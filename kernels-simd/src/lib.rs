//! CPU kernels of [xielu](https://docs.rs/xielu): activations, quantized blocks and matrix
//! products. `no_std`, no allocation, no panics.
//!
//! [`Kernels`] is the public face: it holds the function tables of one [`Isa`] and checks every
//! length before it calls into them. Below it are three rooms: `arch` (the instruction sets, a
//! folder each, with the same file names), `generic` (what they share, formulas included, written
//! once) and `block` (the formats of weights and inputs).
#![no_std]
// Where there are no vectors, what only their kernels share is not used.
#![cfg_attr(
    not(any(
        target_arch = "x86_64",
        all(target_arch = "aarch64", target_feature = "neon"),
        all(target_arch = "wasm32", target_feature = "simd128")
    )),
    allow(dead_code, unused_imports, unused_macros)
)]

#[cfg(any(test, feature = "std"))]
extern crate std;

mod activation;
mod activation_q8_0;
#[cfg(test)]
mod activation_tests;
mod arch;
mod backward;
#[cfg(test)]
mod backward_tests;
mod block;
pub mod built;
mod epilogue;
mod generic;
mod kernels;
#[cfg(feature = "mmap")]
mod mapped_file;
mod matmul;
#[cfg(test)]
mod matmul_tests;
mod matrix;
mod output;
mod pack;

pub use arch::isa::{Isa, UnknownIsa};
pub use block::{
    BF16, BlockQ4_0, BlockQ4_K, BlockQ5_K, BlockQ6_K, BlockQ8_0, Blocks, DType, F16, F32,
    INPUT_BLOCK, InputBlock, QK, QK_K,
};
pub use epilogue::Epilogue;
pub use generic::alpha_sums::{AlphaSums, TileSums};
pub use generic::parameters::{Activation, LearnedActivation, XieluCoefficients};
pub use kernels::{Kernels, LengthError};
#[cfg(feature = "mmap")]
pub use mapped_file::MappedFile;
pub use matrix::{Input, Matrix, ShapeError};
pub use output::Output;

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
