//! The instruction sets: a folder each, with the same file names, and how one is found or chosen.
//! What a newer one lacks is taken from the one before it.

#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
pub(crate) mod aarch64;
#[cfg(any(xielu_dsp, xielu_vfma))]
pub(crate) mod arm;
mod detected;
pub(crate) mod isa;
pub(crate) mod scalar;
#[cfg(any(
    all(target_arch = "aarch64", target_feature = "neon"),
    all(target_arch = "wasm32", target_feature = "simd128")
))]
pub(crate) mod vec128;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(crate) mod wasm;
#[cfg(target_arch = "x86_64")]
pub(crate) mod x86;
