//! The token of simd128, and its vectors: four lanes.
//!
//! There is no fused multiply-add whose result is the same everywhere, so it is made of f64
//! arithmetic, with the same bits as the real one at about twenty times its price.

use core::arch::wasm32::*;

use half::{bf16, f16};

use crate::generic::simd::Simd;

/// simd128. Nothing need be checked where it is made: the target has it, or this is not compiled.
#[derive(Clone, Copy)]
pub(super) struct Simd128;

/// `a * b + c` of the low two lanes, in f64: the product is exact, the sum is rounded once.
#[inline(always)]
fn wide_fma(a: v128, b: v128, c: v128) -> v128 {
    let product = f64x2_mul(f64x2_promote_low_f32x4(a), f64x2_promote_low_f32x4(b));
    f64x2_add(product, f64x2_promote_low_f32x4(c))
}

/// As [`wide_fma`], but rounded to odd: the last bit of an inexact sum is set, so that a second
/// rounding, to fewer bits, can tell on which side of a tie it is.
#[inline(always)]
fn wide_fma_to_odd(a: v128, b: v128, c: v128) -> v128 {
    let product = f64x2_mul(f64x2_promote_low_f32x4(a), f64x2_promote_low_f32x4(b));
    let c = f64x2_promote_low_f32x4(c);
    let sum = f64x2_add(product, c);
    // What the sum lost (Knuth's two-sum); NaN if it is not finite.
    let part = f64x2_sub(sum, product);
    let lost = f64x2_add(f64x2_sub(product, f64x2_sub(sum, part)), f64x2_sub(c, part));
    let zero = f64x2_splat(0.0);
    let inexact = v128_or(f64x2_lt(lost, zero), f64x2_gt(lost, zero));
    let even = i64x2_eq(v128_and(sum, i64x2_splat(1)), i64x2_splat(0));
    // One away from zero if the loss has the sum's sign, else one towards it.
    let step = v128_or(i64x2_shr(v128_xor(lost, sum), 63), i64x2_splat(1));
    i64x2_add(sum, v128_and(step, v128_and(inexact, even)))
}

/// The upper two lanes in the place of the lower two.
#[inline(always)]
fn upper(v: v128) -> v128 {
    i64x2_shuffle::<1, 1>(v, v)
}

/// Four f32 from two pairs of f64.
#[inline(always)]
fn narrow(low: v128, high: v128) -> v128 {
    i64x2_shuffle::<0, 2>(f32x4_demote_f64x2_zero(low), f32x4_demote_f64x2_zero(high))
}

/// Rounding the f64 sum to f32 is a second rounding. It can only go wrong where the sum is
/// exactly between two f32: in the normal range, where its low 29 bits are 1 and then zeros.
#[inline(always)]
fn fma(a: v128, b: v128, c: v128) -> v128 {
    let [low, high] = [wide_fma(a, b, c), wide_fma(upper(a), upper(b), upper(c))];
    let sum = narrow(low, high);
    let low_words = i32x4_shuffle::<0, 2, 4, 6>(low, high);
    let tie = i32x4_eq(i32x4_shl(low_words, 3), i32x4_splat(i32::MIN));
    let tiny = f32x4_le(f32x4_abs(sum), f32x4_splat(f32::MIN_POSITIVE));
    if v128_any_true(v128_or(tie, tiny)) { exact_fma(a, b, c) } else { sum }
}

#[cold]
#[inline(never)]
fn exact_fma(a: v128, b: v128, c: v128) -> v128 {
    narrow(wide_fma_to_odd(a, b, c), wide_fma_to_odd(upper(a), upper(b), upper(c)))
}

/// The lower four halves as f32. Exponent and mantissa move to their places, and a multiplication
/// by 2^112 corrects the bias of the exponent, subnormals included. Infinities and NaNs would come
/// out as 2^16 and more; their exponent is set.
#[inline(always)]
pub(super) fn widen_f16(halves: v128) -> v128 {
    let halves = u32x4_extend_low_u16x8(halves);
    let magnitude = i32x4_shl(v128_and(halves, i32x4_splat(0x7fff)), 13);
    let sign = i32x4_shl(v128_and(halves, i32x4_splat(0x8000)), 16);
    let value = f32x4_mul(magnitude, f32x4_splat(f32::from_bits((127 + 112) << 23)));
    let beyond = f32x4_ge(value, f32x4_splat(65536.0));
    v128_or(v128_or(value, v128_and(beyond, i32x4_splat(0x7f80_0000))), sign)
}

impl Simd for Simd128 {
    type F32 = v128;
    type I32 = v128;
    type Mask = v128;
    const COUNT: usize = 4;

    #[inline(always)]
    fn splat(self, x: f32) -> v128 {
        f32x4_splat(x)
    }
    #[inline(always)]
    fn add(self, a: v128, b: v128) -> v128 {
        f32x4_add(a, b)
    }
    #[inline(always)]
    fn sub(self, a: v128, b: v128) -> v128 {
        f32x4_sub(a, b)
    }
    #[inline(always)]
    fn mul(self, a: v128, b: v128) -> v128 {
        f32x4_mul(a, b)
    }
    #[inline(always)]
    fn div(self, a: v128, b: v128) -> v128 {
        f32x4_div(a, b)
    }
    #[inline(always)]
    fn neg(self, a: v128) -> v128 {
        f32x4_neg(a)
    }
    #[inline(always)]
    fn neg_abs(self, a: v128) -> v128 {
        v128_or(a, f32x4_splat(-0.0))
    }
    #[inline(always)]
    fn fma(self, a: v128, b: v128, c: v128) -> v128 {
        fma(a, b, c)
    }
    #[inline(always)]
    fn mul_add(self, a: v128, b: v128, c: v128) -> v128 {
        f32x4_add(f32x4_mul(a, b), c)
    }
    /// `pmin(b, a)` is `a < b ? a : b`.
    #[inline(always)]
    fn min(self, a: v128, b: v128) -> v128 {
        f32x4_pmin(b, a)
    }
    /// `pmax(b, a)` is `b < a ? a : b`.
    #[inline(always)]
    fn max(self, a: v128, b: v128) -> v128 {
        f32x4_pmax(b, a)
    }
    #[inline(always)]
    fn lt(self, a: v128, b: v128) -> v128 {
        f32x4_lt(a, b)
    }
    #[inline(always)]
    fn is_nan(self, a: v128) -> v128 {
        f32x4_ne(a, a)
    }
    #[inline(always)]
    fn select(self, mask: v128, a: v128, b: v128) -> v128 {
        v128_bitselect(a, b, mask)
    }
    #[inline(always)]
    fn to_f32(self, q: v128) -> v128 {
        f32x4_convert_i32x4(q)
    }
    #[inline(always)]
    fn all(self, mask: v128) -> bool {
        i32x4_all_true(mask)
    }
    #[inline(always)]
    fn exp2_of_magic(self, t: v128) -> v128 {
        i32x4_shl(t, 23)
    }

    #[inline(always)]
    unsafe fn load_f32(self, p: *const f32) -> v128 {
        // SAFETY: `Simd::load_f32` requires `p` to be readable for 4 elements.
        unsafe { v128_load(p.cast()) }
    }
    #[inline(always)]
    unsafe fn load_bf16(self, p: *const bf16) -> v128 {
        // SAFETY: `Simd::load_bf16` requires `p` to be readable for 4 elements.
        let halves = unsafe { v128_load64_zero(p.cast()) };
        i32x4_shl(u32x4_extend_low_u16x8(halves), 16)
    }
    #[inline(always)]
    unsafe fn load_f16(self, p: *const f16) -> v128 {
        // SAFETY: `Simd::load_f16` requires `p` to be readable for 4 elements.
        widen_f16(unsafe { v128_load64_zero(p.cast()) })
    }
    #[inline(always)]
    unsafe fn store_f32(self, v: v128, p: *mut f32) {
        // SAFETY: `Simd::store_f32` requires `p` to be writable for 4 elements.
        unsafe { v128_store(p.cast(), v) }
    }
    /// Adds just under half of the last kept bit, and that bit: ties go to even. The carry of
    /// the canonical NaN stays below what is kept.
    #[inline(always)]
    unsafe fn store_bf16(self, v: v128, p: *mut bf16) {
        let odd = v128_and(u32x4_shr(v, 16), i32x4_splat(1));
        let upper = u32x4_shr(i32x4_add(v, i32x4_add(odd, i32x4_splat(0x7fff))), 16);
        // SAFETY: `Simd::store_bf16` requires `p` to be writable for 4 elements.
        unsafe { v128_store64_lane::<0>(u16x8_narrow_i32x4(upper, upper), p.cast()) }
    }
    /// Rounds to nearest, ties to even: in the integers where the result is a normal number, else
    /// by adding 0.5, whose last bit is the smallest f16.
    #[inline(always)]
    unsafe fn store_f16(self, v: v128, p: *mut f16) {
        let magnitude = f32x4_abs(v);
        let sign = u32x4_shr(v128_and(v, i32x4_splat(i32::MIN)), 16);
        // Normal: round in the integers, then correct the bias.
        let odd = v128_and(u32x4_shr(magnitude, 13), i32x4_splat(1));
        let rounded = i32x4_add(magnitude, i32x4_add(odd, i32x4_splat(0xfff)));
        let normal = i32x4_sub(u32x4_shr(rounded, 13), i32x4_splat(112 << 10));
        // Subnormal: the last bit kept is 2^-24, that of 0.5 in f32.
        let half = f32x4_splat(0.5);
        let subnormal = i32x4_sub(f32x4_add(magnitude, half), half);
        let small = f32x4_lt(magnitude, f32x4_splat(6.103_515_6e-5));
        let finite = v128_bitselect(subnormal, normal, small);
        // From 65520 on the nearest is infinity.
        let infinite = f32x4_ge(magnitude, f32x4_splat(65520.0));
        let value = v128_bitselect(i32x4_splat(0x7c00), finite, infinite);
        let value = v128_bitselect(i32x4_splat(0x7e00), value, f32x4_ne(v, v));
        let halves = v128_or(value, sign);
        // SAFETY: `Simd::store_f16` requires `p` to be writable for 4 elements.
        unsafe { v128_store64_lane::<0>(u16x8_narrow_i32x4(halves, halves), p.cast()) }
    }
}
