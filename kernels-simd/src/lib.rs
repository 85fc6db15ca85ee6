//! CPU kernels of [xielu](https://docs.rs/xielu): activations, quantized blocks and matrix
//! products. `no_std`, no allocation, no panics.
//!
//! [`Kernels`] is the public face: it holds the function tables of one [`Isa`] and checks every
//! length before it calls into them.
//!
//! # Where what is
//!
//! Imports run one way, from each of these to those after it:
//!
//! 1. **The face**, the files beside this one: what is public, with every length checked
//!    (`kernels`, `element`, `matrix`, `matmul`, `attention`, `pack`, `activation`, `activation_q8_0`,
//!    `backward`, `epilogue`).
//! 2. **`arch`**: the instruction sets, a folder each, with the same file names in each; `isa` and
//!    `detected` choose one.
//! 3. **`generic`**: what instruction sets share, written once over vectors: the formulas of the
//!    activations (`activation`), products of few tokens (`gemv`) and of many (`gemm_quantized`,
//!    `gemm_float`), attention of many queries (`attention`).
//! 4. **`output`**, [`built`] and `every_variant`: where products are written; what a small target
//!    leaves out; lists of all variants.
//! 5. **`block`**: the formats of weights and inputs. Beside it what needs `unsafe` and is no kernel:
//!    `mapped_file`, `second_core`, `take_once`.
//!
//! Inside a room no two files import each other either. Within `arch`, a newer instruction set
//! builds on the one before it, and all may use `vec128` and `arm`.
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
mod attention;
#[cfg(test)]
mod attention_tests;
mod backward;
#[cfg(test)]
mod backward_tests;
mod block;
pub mod built;
mod element;
mod epilogue;
mod every_variant;
mod generic;
mod kernels;
#[cfg(feature = "mmap")]
mod mapped_file;
mod matmul;
#[cfg(test)]
mod matmul_tests;
mod matrix;
mod messages;
mod output;
mod pack;
#[cfg(target_has_atomic = "32")]
mod second_core;
#[cfg(target_has_atomic = "8")]
mod take_once;
#[cfg(test)]
mod test_support;

pub use arch::isa::{Isa, UnknownIsa};
pub use attention::Attention;
pub use backward::BackwardError;
pub use block::{
    BF16, BlockIQ1_M, BlockIQ1_S, BlockIQ2_S, BlockIQ2_XS, BlockIQ2_XXS, BlockIQ3_S, BlockIQ3_XXS,
    BlockIQ4_NL, BlockIQ4_XS, BlockMXFP4, BlockNVFP4, BlockQ2_K, BlockQ3_K, BlockQ4_0, BlockQ4_1,
    BlockQ4_K, BlockQ5_0, BlockQ5_1, BlockQ5_K, BlockQ6_K, BlockQ8_0, BlockQ8_1, BlockQ8_K,
    BlockTQ1_0, BlockTQ2_0, Blocks, ByteBlock, DType, F16, F32, FP4_VALUES, INPUT_BLOCK,
    IQ4_VALUES, InputBlock, QK, QK_K,
};
pub use element::Element;
pub use epilogue::Epilogue;
pub use generic::alpha_sums::{AlphaSums, TileSums};
pub use generic::parameters::{Activation, ActivationKind, Coefficients};
pub use generic::softmax::OnlineSoftmax;
pub use kernels::{Kernels, LengthError};
#[cfg(feature = "mmap")]
pub use mapped_file::MappedFile;
pub use matrix::{Input, Matrix, Shape, ShapeError};
pub use output::Output;
#[cfg(target_has_atomic = "32")]
pub use second_core::SecondCore;
#[cfg(target_has_atomic = "8")]
pub use take_once::TakeOnce;

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
