//! The operations of [`Vec128`] with NEON; dot products of bytes are each instruction set's own.

use core::arch::aarch64::*;
use core::arch::asm;

use super::neon::token::neon;
use crate::arch::vec128::Vec128;

/// The dot products of [`Vec128`].
pub(super) trait ByteDot: Copy {
    /// See [`Vec128::dot_groups`].
    fn groups(self, largest: u8, w: [[int8x16_t; 2]; 4], x: [[int8x16_t; 2]; 4]) -> int32x4_t;
    /// See [`Vec128::dot_halves`].
    fn halves(self, largest: u8, w: [int8x16_t; 4], x: [int8x16_t; 4]) -> int32x4_t;
}

/// The sums of neighbours in `a`, then `b`: for the intrinsic the compiler may put three others.
#[inline(always)]
pub(super) fn add_neighbours(a: int32x4_t, b: int32x4_t) -> int32x4_t {
    let sum;
    // SAFETY: the target has NEON; the instruction touches registers only.
    unsafe {
        asm!("addp {sum:v}.4s, {a:v}.4s, {b:v}.4s", sum = lateout(vreg) sum, a = in(vreg) a,
            b = in(vreg) b, options(pure, nomem, nostack, preserves_flags));
    }
    sum
}

/// Adds the products of the upper eight bytes. With the intrinsic, the compiler takes the upper
/// halves apart, and out of the loop.
#[inline(always)]
pub(super) fn add_upper_products(sum: int16x8_t, w: int8x16_t, x: int8x16_t) -> int16x8_t {
    let mut sum = sum;
    // SAFETY: the target has NEON; the instruction touches registers only.
    unsafe {
        asm!("smlal2 {sum:v}.8h, {w:v}.16b, {x:v}.16b", sum = inout(vreg) sum, w = in(vreg) w,
            x = in(vreg) x, options(pure, nomem, nostack, preserves_flags));
    }
    sum
}

/// The sums of four vectors.
#[inline(always)]
pub(super) fn sums([a, b, c, d]: [int32x4_t; 4]) -> int32x4_t {
    add_neighbours(add_neighbours(a, b), add_neighbours(c, d))
}

/// The conversion is part of NEON, its intrinsic is not in every compiler we support.
#[inline(always)]
fn widen_halves(half: uint16x4_t) -> float32x4_t {
    let wide;
    // SAFETY: the target has NEON; the instruction touches registers only.
    unsafe {
        asm!("fcvtl {wide:v}.4s, {half:v}.4h", wide = lateout(vreg) wide, half = in(vreg) half,
            options(pure, nomem, nostack, preserves_flags));
    }
    wide
}

/// Four 16-bit words.
#[inline(always)]
fn words(x: [[u8; 2]; 4]) -> uint16x4_t {
    let [a, b, c, d] = x.map(u16::from_le_bytes);
    neon!({
        let v = vset_lane_u16::<0>(a, vdup_n_u16(0));
        let v = vset_lane_u16::<1>(b, v);
        vset_lane_u16::<3>(d, vset_lane_u16::<2>(c, v))
    })
}

/// The even and the odd words of a vector, sign-extended.
#[inline(always)]
fn split(x: int16x8_t) -> [int32x4_t; 2] {
    neon!({
        let x = vreinterpretq_s32_s16(x);
        [vshrq_n_s32::<16>(vshlq_n_s32::<16>(x)), vshrq_n_s32::<16>(x)]
    })
}

impl<D: ByteDot> Vec128 for D {
    type Bytes = uint8x16_t;
    type I32 = int32x4_t;
    type F32 = float32x4_t;

    #[inline(always)]
    unsafe fn load_from(self, p: *const u8) -> uint8x16_t {
        // SAFETY: `Vec128::load_from` requires `p` to be readable for 16 bytes.
        unsafe { vld1q_u8(p) }
    }
    #[inline(always)]
    fn splat_bytes(self, b: u8) -> uint8x16_t {
        neon!(vdupq_n_u8(b))
    }
    #[inline(always)]
    fn and(self, a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
        neon!(vandq_u8(a, b))
    }
    #[inline(always)]
    fn select(self, mask: uint8x16_t, a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
        let mut b = b;
        // SAFETY: the target has NEON; the instruction touches registers only.
        unsafe {
            asm!("bit {b:v}.16b, {a:v}.16b, {mask:v}.16b", b = inout(vreg) b, a = in(vreg) a,
                mask = in(vreg) mask, options(pure, nomem, nostack, preserves_flags));
        }
        b
    }
    #[inline(always)]
    fn test(self, a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
        neon!(vtstq_u8(a, b))
    }
    #[inline(always)]
    fn look_up(self, table: uint8x16_t, numbers: uint8x16_t) -> uint8x16_t {
        neon!(vqtbl1q_u8(table, numbers))
    }
    #[inline(always)]
    fn shl<const N: i32>(self, a: uint8x16_t) -> uint8x16_t {
        neon!(vshlq_n_u8::<N>(a))
    }
    #[inline(always)]
    fn shr<const N: i32>(self, a: uint8x16_t) -> uint8x16_t {
        neon!(vshrq_n_u8::<N>(a))
    }

    #[inline(always)]
    fn dot_groups(
        self,
        largest: u8,
        w: [[uint8x16_t; 2]; 4],
        x: [[uint8x16_t; 2]; 4],
    ) -> int32x4_t {
        self.groups(largest, w.map(|w| w.map(signed)), x.map(|x| x.map(signed)))
    }
    #[inline(always)]
    fn dot_halves(self, largest: u8, w: [uint8x16_t; 4], x: [uint8x16_t; 4]) -> int32x4_t {
        self.halves(largest, w.map(signed), x.map(signed))
    }

    #[inline(always)]
    fn splat_i32(self, x: i32) -> int32x4_t {
        neon!(vdupq_n_s32(x))
    }
    #[inline(always)]
    fn mul_i32(self, a: int32x4_t, b: int32x4_t) -> int32x4_t {
        neon!(vmulq_s32(a, b))
    }
    #[inline(always)]
    fn mul_add_i32(self, a: int32x4_t, b: int32x4_t, c: int32x4_t) -> int32x4_t {
        neon!(vmlaq_s32(c, a, b))
    }
    #[inline(always)]
    fn pair_sums(self, x: &[i16; 8]) -> int32x4_t {
        // SAFETY: the array holds the 16 bytes that are read; the target has NEON.
        unsafe { vpaddlq_s16(vld1q_s16(x.as_ptr())) }
    }
    #[inline(always)]
    fn even_odd(self, x: &[i16; 8]) -> [int32x4_t; 2] {
        // SAFETY: the array holds the 16 bytes that are read; the target has NEON.
        split(unsafe { vld1q_s16(x.as_ptr()) })
    }
    #[inline(always)]
    fn even_odd_bytes(self, x: &[i8; 8]) -> [int32x4_t; 2] {
        // SAFETY: the array holds the 8 bytes that are read; the target has NEON.
        split(unsafe { vmovl_s8(vld1_s8(x.as_ptr())) })
    }
    #[inline(always)]
    fn widen_u8(self, x: [u8; 8]) -> [int32x4_t; 2] {
        neon!({
            let words = vreinterpretq_s16_u16(vmovl_u8(vcreate_u8(u64::from_le_bytes(x))));
            [vmovl_s16(vget_low_s16(words)), vmovl_high_s16(words)]
        })
    }

    #[inline(always)]
    fn to_f32(self, x: int32x4_t) -> float32x4_t {
        neon!(vcvtq_f32_s32(x))
    }
    #[inline(always)]
    fn splat(self, x: f32) -> float32x4_t {
        neon!(vdupq_n_f32(x))
    }
    #[inline(always)]
    fn mul(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        neon!(vmulq_f32(a, b))
    }
    #[inline(always)]
    fn mul_sub(self, a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        neon!(vfmsq_f32(c, a, b))
    }
    #[inline(always)]
    fn mul_add(self, a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        neon!(vfmaq_f32(c, a, b))
    }
    #[inline(always)]
    fn zip(self, a: float32x4_t, b: float32x4_t) -> [float32x4_t; 2] {
        neon!([vzip1q_f32(a, b), vzip2q_f32(a, b)])
    }
    #[inline(always)]
    fn sum(self, x: float32x4_t) -> f32 {
        neon!(vaddvq_f32(x))
    }
    #[inline(always)]
    unsafe fn load_f32_from(self, p: *const u8) -> float32x4_t {
        // SAFETY: `Vec128::load_f32_from` requires `p` to be readable for 16 bytes.
        unsafe { vreinterpretq_f32_u8(vld1q_u8(p)) }
    }
    #[inline(always)]
    fn widen_f16(self, x: [[u8; 2]; 4]) -> float32x4_t {
        widen_halves(words(x))
    }
    #[inline(always)]
    fn splat_f16(self, x: [u8; 2]) -> float32x4_t {
        widen_halves(neon!(vdup_n_u16(u16::from_le_bytes(x))))
    }
    #[inline(always)]
    unsafe fn load_f16_from(self, p: *const u8) -> float32x4_t {
        // SAFETY: `Vec128::load_f16_from` requires `p` to be readable for 8 bytes.
        widen_halves(unsafe { vreinterpret_u16_u8(vld1_u8(p)) })
    }
    #[inline(always)]
    unsafe fn load_bf16_from(self, p: *const u8) -> float32x4_t {
        // SAFETY: `Vec128::load_bf16_from` requires `p` to be readable for 8 bytes.
        let words = unsafe { vreinterpret_u16_u8(vld1_u8(p)) };
        neon!(vreinterpretq_f32_u32(vshll_n_u16::<16>(words)))
    }
}

#[inline(always)]
fn signed(x: uint8x16_t) -> int8x16_t {
    neon!(vreinterpretq_s8_u8(x))
}
