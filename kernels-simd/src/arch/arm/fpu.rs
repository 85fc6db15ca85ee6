//! What the FPU does and `core` offers by software: the fused multiply-add, the widening of halves.
//!
//! The compiler gives inline assembly registers of this FPU only where it also has f64 (of the
//! CPUs that are told apart: where Helium is). Elsewhere these are calls; with hard-float arguments
//! they are two or three instructions.

#[cfg(xielu_mve)]
use core::arch::asm;
#[cfg(not(xielu_mve))]
use core::arch::naked_asm;

/// `a * b + c`, rounded once.
#[cfg(xielu_mve)]
#[inline(always)]
pub(crate) fn add_product(mut c: f32, a: f32, b: f32) -> f32 {
    // SAFETY: this is compiled only with `xielu_vfma`, which build.rs sets for targets that have
    // the instruction; it touches registers only.
    unsafe {
        asm!(
            "vfma.f32 {c}, {a}, {b}",
            c = inout(sreg) c,
            a = in(sreg) a,
            b = in(sreg) b,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    c
}

/// The half in the lower bits of `half` as f32.
#[cfg(xielu_mve)]
#[inline(always)]
pub(crate) fn widen(half: u32) -> f32 {
    let mut value = f32::from_bits(half);
    // SAFETY: this is compiled only with `xielu_vfma`, which build.rs sets for targets that have
    // the instruction; it touches registers only.
    unsafe {
        asm!(
            "vcvtb.f32.f16 {value}, {value}",
            value = inout(sreg) value,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    value
}

/// `a * b + c`, rounded once.
#[cfg(not(xielu_mve))]
#[unsafe(naked)]
pub(crate) extern "C" fn add_product(c: f32, a: f32, b: f32) -> f32 {
    naked_asm!(".fpu fpv4-sp-d16", "vfma.f32 s0, s1, s2", "bx lr")
}

/// The half in the lower bits of `half` as f32.
#[cfg(not(xielu_mve))]
#[unsafe(naked)]
pub(crate) extern "C" fn widen(half: u32) -> f32 {
    naked_asm!(".fpu fpv4-sp-d16", "vmov s0, r0", "vcvtb.f32.f16 s0, s0", "bx lr")
}
