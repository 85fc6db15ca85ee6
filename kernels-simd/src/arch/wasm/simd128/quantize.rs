//! f32 to Q8_0 in WebAssembly.

use core::arch::wasm32::*;

use super::token::Simd128;
use crate::arch::vec128::Quantize;
use crate::generic::quantize::BELOW_HALF;

impl Quantize for Simd128 {
    #[inline(always)]
    fn largest_magnitude(self, v: [v128; 8]) -> f32 {
        let [a, b, c, d, e, f, g, h] = v.map(|v| f32x4_abs(v));
        let (abcd, efgh) = (
            u32x4_max(u32x4_max(a, b), u32x4_max(c, d)),
            u32x4_max(u32x4_max(e, f), u32x4_max(g, h)),
        );
        let m = u32x4_max(abcd, efgh);
        let m = u32x4_max(m, i32x4_shuffle::<2, 3, 0, 1>(m, m));
        let m = u32x4_max(m, i32x4_shuffle::<1, 0, 3, 2>(m, m));
        f32::from_bits(u32x4_extract_lane::<0>(m))
    }

    #[inline(always)]
    fn round(self, v: [v128; 8], id: f32) -> [v128; 2] {
        let [a, b, c, d, e, f, g, h] = v.map(|v| {
            let t = f32x4_mul(v, f32x4_splat(id));
            let half = v128_bitselect(t, f32x4_splat(BELOW_HALF), f32x4_splat(-0.0));
            i32x4_trunc_sat_f32x4(f32x4_add(t, half))
        });
        let bytes =
            |a, b, c, d| i8x16_narrow_i16x8(i16x8_narrow_i32x4(a, b), i16x8_narrow_i32x4(c, d));
        [bytes(a, b, c, d), bytes(e, f, g, h)]
    }

    #[inline(always)]
    fn sum_bytes(self, v: v128) -> i16 {
        let quads = i32x4_extadd_pairwise_i16x8(i16x8_extadd_pairwise_i8x16(v));
        let pairs = i32x4_add(quads, i64x2_shuffle::<1, 1>(quads, quads));
        // Sixteen quants add up to 16 * 127 at most.
        (i32x4_extract_lane::<0>(pairs) + i32x4_extract_lane::<1>(pairs)) as i16
    }

    #[inline(always)]
    unsafe fn store_to(self, v: v128, p: *mut u8) {
        // SAFETY: `Quantize::store_to` requires `p` to be writable for 16 bytes.
        unsafe { v128_store(p.cast(), v) }
    }
}
