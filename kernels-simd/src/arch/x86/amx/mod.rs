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

use super::avx512_vnni::Avx512Vnni;

/// Proof that the machine runs AMX (tile, int8 and bf16) and AVX-512 F, BW, DQ, VL, VNNI and BF16,
/// and that this process may use the tiles. Its methods are inlined into functions that enable
/// AVX-512's features.
#[derive(Clone, Copy)]
struct Amx(());

impl Amx {
    /// # Safety
    /// The machine runs these features, and this process may use the tiles.
    #[inline(always)]
    unsafe fn new() -> Self {
        Amx(())
    }

    /// What is not a product of tiles.
    #[inline(always)]
    fn vectors(self) -> Avx512Vnni {
        // SAFETY: an `Amx` exists only where the machine runs AVX-512 VNNI too.
        unsafe { Avx512Vnni::new() }
    }
}
