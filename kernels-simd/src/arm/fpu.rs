//! What the FPU does and `core` offers by software: the fused multiply-add, the widening of halves.
//!
//! Calls, because the compiler gives inline assembly no registers of this FPU; with hard-float
//! arguments they are two or three instructions.

use core::arch::naked_asm;

/// `a * b + c`, rounded once.
#[unsafe(naked)]
pub(crate) extern "C" fn add_product(c: f32, a: f32, b: f32) -> f32 {
    naked_asm!(".fpu fpv4-sp-d16", "vfma.f32 s0, s1, s2", "bx lr")
}

/// The half in the lower bits of `half` as f32.
#[unsafe(naked)]
pub(crate) extern "C" fn widen(half: u32) -> f32 {
    naked_asm!(".fpu fpv4-sp-d16", "vmov s0, r0", "vcvtb.f32.f16 s0, s0", "bx lr")
}
