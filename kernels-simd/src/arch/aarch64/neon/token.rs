//! The token of NEON, and its vectors: four lanes.

use core::arch::aarch64::*;
use core::arch::asm;

use half::{bf16, f16};

use crate::generic::simd::Simd;

/// Calls intrinsics of NEON.
macro_rules! neon {
    ($call:expr) => {
        // SAFETY: the target has NEON: `arch/mod.rs` compiles this folder only with
        // `target_feature = "neon"`.
        unsafe { $call }
    };
}
pub(in crate::arch::aarch64) use neon;

/// NEON. Nothing need be checked where it is made: the target has it, or this is not compiled.
#[derive(Clone, Copy)]
pub(in crate::arch::aarch64) struct Neon;

impl Simd for Neon {
    type F32 = float32x4_t;
    type I32 = int32x4_t;
    type Mask = uint32x4_t;
    const COUNT: usize = 4;

    #[inline(always)]
    fn splat(self, x: f32) -> float32x4_t {
        neon!(vdupq_n_f32(x))
    }
    #[inline(always)]
    fn add(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        neon!(vaddq_f32(a, b))
    }
    #[inline(always)]
    fn sub(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        neon!(vsubq_f32(a, b))
    }
    #[inline(always)]
    fn mul(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        neon!(vmulq_f32(a, b))
    }
    #[inline(always)]
    fn div(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        neon!(vdivq_f32(a, b))
    }
    #[inline(always)]
    fn neg(self, a: float32x4_t) -> float32x4_t {
        neon!(vnegq_f32(a))
    }
    #[inline(always)]
    fn neg_abs(self, a: float32x4_t) -> float32x4_t {
        neon!(vnegq_f32(vabsq_f32(a)))
    }
    #[inline(always)]
    fn fma(self, a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        neon!(vfmaq_f32(c, a, b))
    }
    /// Not FMIN: that gives NaN when either is NaN, and tells -0 from 0.
    #[inline(always)]
    fn min(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        neon!(vbslq_f32(vcltq_f32(a, b), a, b))
    }
    #[inline(always)]
    fn max(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        neon!(vbslq_f32(vcgtq_f32(a, b), a, b))
    }
    #[inline(always)]
    fn lt(self, a: float32x4_t, b: float32x4_t) -> uint32x4_t {
        neon!(vcltq_f32(a, b))
    }
    #[inline(always)]
    fn is_nan(self, a: float32x4_t) -> uint32x4_t {
        neon!(vmvnq_u32(vceqq_f32(a, a)))
    }
    #[inline(always)]
    fn select(self, mask: uint32x4_t, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        neon!(vbslq_f32(mask, a, b))
    }
    #[inline(always)]
    fn to_f32(self, q: int32x4_t) -> float32x4_t {
        neon!(vcvtq_f32_s32(q))
    }
    #[inline(always)]
    fn all(self, mask: uint32x4_t) -> bool {
        neon!(vminvq_u32(mask) == u32::MAX)
    }
    #[inline(always)]
    fn exp2_of_magic(self, t: float32x4_t) -> float32x4_t {
        neon!(vreinterpretq_f32_u32(vshlq_n_u32::<23>(vreinterpretq_u32_f32(t))))
    }

    #[inline(always)]
    unsafe fn load_f32(self, p: *const f32) -> float32x4_t {
        // SAFETY: `Simd::load_f32` requires `p` to be readable for 4 elements.
        unsafe { vld1q_f32(p) }
    }
    #[inline(always)]
    unsafe fn load_bf16(self, p: *const bf16) -> float32x4_t {
        // SAFETY: `Simd::load_bf16` requires `p` to be readable for 4 elements.
        unsafe { vreinterpretq_f32_u32(vshll_n_u16::<16>(vld1_u16(p.cast()))) }
    }
    /// The conversion is part of NEON, its intrinsic is not in every compiler we support.
    #[inline(always)]
    unsafe fn load_f16(self, p: *const f16) -> float32x4_t {
        let wide;
        // SAFETY: `Simd::load_f16` requires `p` to be readable for 4 elements; the instruction
        // touches registers only.
        unsafe {
            asm!("fcvtl {wide:v}.4s, {half:v}.4h", wide = lateout(vreg) wide,
                half = in(vreg) vld1_u16(p.cast()), options(pure, nomem, nostack, preserves_flags));
        }
        wide
    }
    #[inline(always)]
    unsafe fn store_f32(self, v: float32x4_t, p: *mut f32) {
        // SAFETY: `Simd::store_f32` requires `p` to be writable for 4 elements.
        unsafe { vst1q_f32(p, v) }
    }
    /// Adds just under half of the last kept bit, and that bit: ties go to even. The carry of
    /// the canonical NaN stays below what is kept.
    #[inline(always)]
    unsafe fn store_bf16(self, v: float32x4_t, p: *mut bf16) {
        // SAFETY: `Simd::store_bf16` requires `p` to be writable for 4 elements.
        unsafe {
            let bits = vreinterpretq_u32_f32(v);
            let odd = vandq_u32(vshrq_n_u32::<16>(bits), vdupq_n_u32(1));
            let bits = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
            vst1_u16(p.cast(), vshrn_n_u32::<16>(bits));
        }
    }
    /// See `load_f16`.
    #[inline(always)]
    unsafe fn store_f16(self, v: float32x4_t, p: *mut f16) {
        // SAFETY: `Simd::store_f16` requires `p` to be writable for 4 elements; the instruction
        // touches registers only.
        unsafe {
            let half: uint16x4_t;
            asm!("fcvtn {half:v}.4h, {wide:v}.4s", half = lateout(vreg) half,
                wide = in(vreg) v, options(pure, nomem, nostack, preserves_flags));
            vst1_u16(p.cast(), half);
        }
    }
}
