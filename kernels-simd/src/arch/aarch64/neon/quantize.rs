//! f32 to Q8_0 with NEON.

use core::arch::aarch64::*;

use super::token::{Neon, neon};
use crate::arch::vec128::Quantize;

impl Quantize for Neon {
    #[inline(always)]
    fn largest_magnitude(self, v: [float32x4_t; 8]) -> f32 {
        let [a, b, c, d, e, f, g, h] = v.map(|v| neon!(vreinterpretq_u32_f32(vabsq_f32(v))));
        f32::from_bits(neon!({
            let (ab, cd) = (vmaxq_u32(a, b), vmaxq_u32(c, d));
            let (ef, gh) = (vmaxq_u32(e, f), vmaxq_u32(g, h));
            vmaxvq_u32(vmaxq_u32(vmaxq_u32(ab, cd), vmaxq_u32(ef, gh)))
        }))
    }

    /// The conversion rounds halves away from zero.
    #[inline(always)]
    fn round(self, v: [float32x4_t; 8], id: f32) -> [uint8x16_t; 2] {
        let [a, b, c, d, e, f, g, h] = v.map(|v| neon!(vcvtaq_s32_f32(vmulq_n_f32(v, id))));
        let words = |a, b| neon!(vmovn_high_s32(vmovn_s32(a), b));
        let bytes = |a, b| neon!(vreinterpretq_u8_s8(vmovn_high_s16(vmovn_s16(a), b)));
        [bytes(words(a, b), words(c, d)), bytes(words(e, f), words(g, h))]
    }

    #[inline(always)]
    fn sum_bytes(self, v: uint8x16_t) -> i16 {
        neon!(vaddlvq_s8(vreinterpretq_s8_u8(v)))
    }

    #[inline(always)]
    unsafe fn store_to(self, v: uint8x16_t, p: *mut u8) {
        // SAFETY: `Quantize::store_to` requires `p` to be writable for 16 bytes.
        unsafe { vst1q_u8(p, v) }
    }
}
