//! AMX: tiles of sixteen rows of 64 bytes and an instruction that multiplies two of them. Stable
//! Rust has no intrinsics for it, so the instructions are written as assembly.

#[cfg(all(test, target_os = "linux", not(xielu_force_scalar)))]
pub(crate) mod emulator;
#[cfg(all(test, target_os = "linux", not(xielu_force_scalar)))]
mod emulator_tests;
mod gemm_float;
mod gemm_quantized;
pub(crate) mod matmul;
mod tiles;
mod token;
