//! Kernels for aarch64.

pub(crate) mod detect;
pub(crate) mod dotprod;
mod gemm_quantized;
pub(crate) mod i8mm;
pub(crate) mod neon;
mod vectors;

/// Calls an intrinsic of NEON.
macro_rules! simd {
    ($call:expr) => {
        // SAFETY: the target has NEON; without it this folder is not compiled.
        unsafe { $call }
    };
}
use simd;
