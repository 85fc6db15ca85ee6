//! CPU kernels of [xielu](https://docs.rs/xielu): activations, quantized blocks and matrix
//! products. `no_std`, no allocation, no panics.
//!
//! [`Kernels`] is the one door: it holds the function tables of one [`Isa`] and checks every
//! length before it calls into them. Each instruction set is a folder with the same file names
//! (`activation.rs`, `backward.rs`, `dot.rs`, `gemm.rs`, `requant.rs`); what they share, formulas included, is
//! written once in the files beside the folders.
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

#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
mod aarch64;
mod activated;
mod activation;
#[cfg(test)]
mod activation_tests;
#[cfg(any(xielu_dsp, xielu_vfma))]
mod arm;
mod backward;
#[cfg(test)]
mod backward_tests;
mod block;
pub mod built;
mod detected;
mod float_panel;
mod formulas;
mod fused;
mod gemm;
mod gradients;
mod input;
mod isa;
mod kernels;
mod lanes;
mod map;
#[cfg(feature = "mmap")]
mod mapped_file;
mod math;
mod matrix;
mod output;
mod pack;
mod packed;
mod panel;
mod product;
#[cfg(test)]
mod product_tests;
mod scalar;
mod slopes;
#[cfg(any(test, xielu_soft))]
mod soft;
mod sums;
#[cfg(any(
    all(target_arch = "aarch64", target_feature = "neon"),
    all(target_arch = "wasm32", target_feature = "simd128")
))]
mod vec128;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm;
#[cfg(target_arch = "x86_64")]
mod x86;

/// Whether this target has one set of kernels, the scalar one, and little room for it: each kernel
/// is called by its name, so that only those in use are linked, and has one form.
pub(crate) const SMALL: bool = cfg!(xielu_small);

pub use activation::{Activation, XieluCoefficients};
pub use backward::LearnedActivation;
pub use block::{
    BF16, BlockQ4_0, BlockQ4_K, BlockQ5_K, BlockQ6_K, BlockQ8_0, Blocks, DType, F16, F32, QK, QK_K,
};
pub use fused::Epilogue;
pub use input::{INPUT_BLOCK, InputBlock};
pub use isa::{Isa, UnknownIsa};
pub use kernels::{Kernels, LengthError};
#[cfg(feature = "mmap")]
pub use mapped_file::MappedFile;
pub use matrix::{Input, Matrix, ShapeError};
pub use output::Output;
pub use sums::{AlphaSums, TileSums};
