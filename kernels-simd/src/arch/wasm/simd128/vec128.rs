//! The operations of [`Vec128`] in WebAssembly.

use core::arch::wasm32::*;

use super::token::{Simd128, widen_f16};
use crate::arch::vec128::Vec128;
use crate::block::F16;

/// Sums of the lanes `0`, `2`, ... and `1`, `3`, ... of two vectors as one.
#[inline(always)]
pub(super) fn add_neighbours(a: v128, b: v128) -> v128 {
    i32x4_add(i32x4_shuffle::<0, 2, 4, 6>(a, b), i32x4_shuffle::<1, 3, 5, 7>(a, b))
}

/// The sums of four vectors.
#[inline(always)]
fn sums([a, b, c, d]: [v128; 4]) -> v128 {
    add_neighbours(add_neighbours(a, b), add_neighbours(c, d))
}

/// The 16 products of bytes in eight lanes.
#[inline(always)]
fn products(w: v128, x: v128) -> v128 {
    i16x8_add(i16x8_extmul_low_i8x16(w, x), i16x8_extmul_high_i8x16(w, x))
}

impl Vec128 for Simd128 {
    type Bytes = v128;
    type I32 = v128;
    type F32 = v128;

    #[inline(always)]
    unsafe fn load_from(self, p: *const u8) -> v128 {
        // SAFETY: `Vec128::load_from` requires `p` to be readable for 16 bytes.
        unsafe { v128_load(p.cast()) }
    }
    #[inline(always)]
    fn splat_bytes(self, b: u8) -> v128 {
        u8x16_splat(b)
    }
    #[inline(always)]
    fn and(self, a: v128, b: v128) -> v128 {
        v128_and(a, b)
    }
    #[inline(always)]
    fn select(self, mask: v128, a: v128, b: v128) -> v128 {
        v128_bitselect(a, b, mask)
    }
    #[inline(always)]
    fn test(self, a: v128, b: v128) -> v128 {
        u8x16_ne(v128_and(a, b), u8x16_splat(0))
    }
    #[inline(always)]
    fn look_up(self, table: v128, numbers: v128) -> v128 {
        i8x16_swizzle(table, numbers)
    }
    #[inline(always)]
    fn shl<const N: i32>(self, a: v128) -> v128 {
        u8x16_shl(a, N as u32)
    }
    #[inline(always)]
    fn shr<const N: i32>(self, a: v128) -> v128 {
        u8x16_shr(a, N as u32)
    }

    /// A 16-bit lane takes two products of bytes (2 * 128 * 127), and four of up to six bits.
    #[inline(always)]
    fn dot_groups(self, largest: u8, w: [[v128; 2]; 4], x: [[v128; 2]; 4]) -> v128 {
        let mut q = [i32x4_splat(0); 4];
        for (q, ([w0, w1], [x0, x1])) in q.iter_mut().zip(w.into_iter().zip(x)) {
            let (low, high) = (products(w0, x0), products(w1, x1));
            *q = if largest <= 63 {
                i32x4_extadd_pairwise_i16x8(i16x8_add(low, high))
            } else {
                i32x4_add(i32x4_extadd_pairwise_i16x8(low), i32x4_extadd_pairwise_i16x8(high))
            };
        }
        sums(q)
    }
    #[inline(always)]
    fn dot_halves(self, _largest: u8, w: [v128; 4], x: [v128; 4]) -> v128 {
        let mut q = [i32x4_splat(0); 4];
        for (q, (w, x)) in q.iter_mut().zip(w.into_iter().zip(x)) {
            *q = i32x4_extadd_pairwise_i16x8(products(w, x));
        }
        sums(q)
    }

    #[inline(always)]
    fn splat_i32(self, x: i32) -> v128 {
        i32x4_splat(x)
    }
    #[inline(always)]
    fn mul_i32(self, a: v128, b: v128) -> v128 {
        i32x4_mul(a, b)
    }
    #[inline(always)]
    fn mul_add_i32(self, a: v128, b: v128, c: v128) -> v128 {
        i32x4_add(i32x4_mul(a, b), c)
    }
    #[inline(always)]
    fn pair_sums(self, x: &[i16; 8]) -> v128 {
        // SAFETY: the array holds the 16 bytes that are read.
        i32x4_extadd_pairwise_i16x8(unsafe { v128_load(x.as_ptr().cast()) })
    }
    #[inline(always)]
    fn even_odd(self, x: &[i16; 8]) -> [v128; 2] {
        // SAFETY: the array holds the 16 bytes that are read.
        split(unsafe { v128_load(x.as_ptr().cast()) })
    }
    #[inline(always)]
    fn even_odd_bytes(self, x: &[i8; 8]) -> [v128; 2] {
        // SAFETY: the array holds the 8 bytes that are read.
        split(unsafe { i16x8_load_extend_i8x8(x.as_ptr()) })
    }
    #[inline(always)]
    fn widen_u8(self, x: [u8; 8]) -> [v128; 2] {
        let words = u16x8_extend_low_u8x16(u64x2_splat(u64::from_le_bytes(x)));
        [u32x4_extend_low_u16x8(words), u32x4_extend_high_u16x8(words)]
    }

    #[inline(always)]
    fn to_f32(self, x: v128) -> v128 {
        f32x4_convert_i32x4(x)
    }
    #[inline(always)]
    fn splat(self, x: f32) -> v128 {
        f32x4_splat(x)
    }
    #[inline(always)]
    fn mul(self, a: v128, b: v128) -> v128 {
        f32x4_mul(a, b)
    }
    #[inline(always)]
    fn mul_add(self, a: v128, b: v128, c: v128) -> v128 {
        f32x4_add(f32x4_mul(a, b), c)
    }
    #[inline(always)]
    fn mul_sub(self, a: v128, b: v128, c: v128) -> v128 {
        f32x4_sub(c, f32x4_mul(a, b))
    }
    #[inline(always)]
    fn zip(self, a: v128, b: v128) -> [v128; 2] {
        [i32x4_shuffle::<0, 4, 1, 5>(a, b), i32x4_shuffle::<2, 6, 3, 7>(a, b)]
    }
    #[inline(always)]
    fn sum(self, x: v128) -> f32 {
        let pairs = f32x4_add(x, i64x2_shuffle::<1, 1>(x, x));
        f32x4_extract_lane::<0>(pairs) + f32x4_extract_lane::<1>(pairs)
    }
    #[inline(always)]
    unsafe fn load_f32_from(self, p: *const u8) -> v128 {
        // SAFETY: `Vec128::load_f32_from` requires `p` to be readable for 16 bytes.
        unsafe { v128_load(p.cast()) }
    }
    #[inline(always)]
    fn widen_f16(self, x: [[u8; 2]; 4]) -> v128 {
        let [a, b, c, d] = x.map(u16::from_le_bytes);
        widen_f16(u16x8(a, b, c, d, 0, 0, 0, 0))
    }
    #[inline(always)]
    fn splat_f16(self, x: [u8; 2]) -> v128 {
        f32x4_splat(F16(x).get())
    }
    #[inline(always)]
    unsafe fn load_f16_from(self, p: *const u8) -> v128 {
        // SAFETY: `Vec128::load_f16_from` requires `p` to be readable for 8 bytes.
        widen_f16(unsafe { v128_load64_zero(p.cast()) })
    }
    #[inline(always)]
    unsafe fn load_bf16_from(self, p: *const u8) -> v128 {
        // SAFETY: `Vec128::load_bf16_from` requires `p` to be readable for 8 bytes.
        let words = unsafe { v128_load64_zero(p.cast()) };
        i32x4_shl(u32x4_extend_low_u16x8(words), 16)
    }
}

/// The even and the odd words of a vector, sign-extended.
#[inline(always)]
fn split(x: v128) -> [v128; 2] {
    [i32x4_shr(i32x4_shl(x, 16), 16), i32x4_shr(x, 16)]
}
