//! The token of plain Rust, and its "vectors": one lane.

use half::{bf16, f16};

use crate::generic::simd::{MAGIC, Simd};

/// Plain Rust, one value at a time: every machine runs it.
#[derive(Clone, Copy)]
pub(crate) struct Scalar;

impl Simd for Scalar {
    type F32 = f32;
    type I32 = i32;
    type Mask = bool;
    const COUNT: usize = 1;

    #[inline(always)]
    fn splat(self, x: f32) -> f32 {
        x
    }
    #[inline(always)]
    fn add(self, a: f32, b: f32) -> f32 {
        a + b
    }
    #[inline(always)]
    fn sub(self, a: f32, b: f32) -> f32 {
        a - b
    }
    #[inline(always)]
    fn mul(self, a: f32, b: f32) -> f32 {
        a * b
    }
    #[inline(always)]
    fn div(self, a: f32, b: f32) -> f32 {
        a / b
    }
    #[inline(always)]
    fn neg(self, a: f32) -> f32 {
        -a
    }
    #[inline(always)]
    fn neg_abs(self, a: f32) -> f32 {
        -a.abs()
    }
    /// In hardware where the target has it, else in software: correctly rounded either way.
    #[inline(always)]
    fn fma(self, a: f32, b: f32, c: f32) -> f32 {
        #[cfg(xielu_vfma)]
        return crate::arch::arm::fpu::add_product(c, a, b);
        #[cfg(xielu_soft)]
        return crate::generic::soft_float::fma(a, b, c);
        #[cfg(not(any(xielu_soft, xielu_vfma)))]
        libm::fmaf(a, b, c)
    }
    #[inline(always)]
    fn min(self, a: f32, b: f32) -> f32 {
        if a < b { a } else { b }
    }
    #[inline(always)]
    fn max(self, a: f32, b: f32) -> f32 {
        if a > b { a } else { b }
    }
    #[inline(always)]
    fn lt(self, a: f32, b: f32) -> bool {
        a < b
    }
    #[inline(always)]
    fn is_nan(self, a: f32) -> bool {
        a.is_nan()
    }
    #[inline(always)]
    fn select(self, mask: bool, a: f32, b: f32) -> f32 {
        if mask { a } else { b }
    }
    #[inline(always)]
    fn to_f32(self, q: i32) -> f32 {
        q as f32
    }
    #[inline(always)]
    fn all(self, mask: bool) -> bool {
        mask
    }
    #[inline(always)]
    fn exp2_of_magic(self, t: f32) -> f32 {
        f32::from_bits(t.to_bits() << 23)
    }

    #[inline(always)]
    unsafe fn load_f32(self, p: *const f32) -> f32 {
        // SAFETY: `Simd::load_f32` requires `p` to be readable for one element.
        unsafe { *p }
    }
    #[inline(always)]
    unsafe fn load_bf16(self, p: *const bf16) -> f32 {
        // SAFETY: `Simd::load_bf16` requires `p` to be readable for one element.
        unsafe { *p }.to_f32()
    }
    #[inline(always)]
    unsafe fn load_f16(self, p: *const f16) -> f32 {
        // SAFETY: `Simd::load_f16` requires `p` to be readable for one element.
        unsafe { *p }.to_f32()
    }
    #[inline(always)]
    unsafe fn store_f32(self, v: f32, p: *mut f32) {
        // SAFETY: `Simd::store_f32` requires `p` to be writable for one element.
        unsafe { *p = v };
    }
    #[inline(always)]
    unsafe fn store_bf16(self, v: f32, p: *mut bf16) {
        // SAFETY: `Simd::store_bf16` requires `p` to be writable for one element.
        unsafe { *p = bf16::from_f32(v) };
    }
    #[inline(always)]
    unsafe fn store_f16(self, v: f32, p: *mut f16) {
        // SAFETY: `Simd::store_f16` requires `p` to be writable for one element.
        unsafe { *p = f16::from_f32(v) };
    }
}

// `exp2_of_magic` shifts everything of MAGIC but its low 9 bits out; they are the exponent of 1.
const _: () = assert!(MAGIC.to_bits() << 23 == 1f32.to_bits());
