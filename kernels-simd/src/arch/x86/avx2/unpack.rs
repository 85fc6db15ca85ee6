//! Weight blocks unpacked to bytes and scales, in 256-bit vectors.

use core::arch::x86_64::*;

use super::token::{Avx2, avx2};
use crate::block::{BlockQ6_K, F16, GROUPS, QK};

/// The offsets of a chunk's weights. They subtract `scale * (by . sums)` from the accumulator for each
/// group, `sums` being the input's.
pub(super) struct Offsets {
    /// For each 16 values.
    pub by: __m256i,
    /// For each group of 32.
    pub scale: __m256,
}

/// The scales of a chunk's groups of 32, and the offsets in formats that have them.
pub(super) struct Scales {
    pub of_groups: __m256,
    pub offsets: Option<Offsets>,
}

impl Avx2 {
    /// `d * scale` of eight groups, and their mins, of a block that begins with `d`, `dmin` and the
    /// argument of [`crate::block::unpack_scales`].
    #[inline(always)]
    pub(super) fn scales_and_mins(self, block: &[u8]) -> Scales {
        let head = self.load_128(block.first_chunk().unwrap_or(&[0; 16]));
        const TWO: i32 = 0x3030_3030;
        const FOUR: i32 = 0x0f0f_0f0f;
        const SIX: i32 = 0x3f3f_3f3f;
        avx2!(self, {
            // Four scales, the last four bytes, four mins, the last four bytes.
            let order = _mm_setr_epi8(4, 5, 6, 7, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
            let all = _mm_shuffle_epi8(head, order);
            let lower = _mm_and_si128(all, _mm_setr_epi32(SIX, FOUR, SIX, 0));
            let upper = _mm_and_si128(_mm_srli_epi16::<4>(all), _mm_setr_epi32(0, 0, 0, FOUR));
            // The upper two bits of the last four scales and mins are above the first four.
            let order = _mm_setr_epi8(-1, -1, -1, -1, 4, 5, 6, 7, -1, -1, -1, -1, 8, 9, 10, 11);
            let above = _mm_srli_epi16::<2>(_mm_shuffle_epi8(head, order));
            let above = _mm_and_si128(above, _mm_set1_epi32(TWO));
            let all = _mm_or_si128(_mm_or_si128(lower, upper), above);
            let d = _mm_cvtph_ps(head);
            let dmin = _mm256_broadcastss_ps(_mm_movehdup_ps(d));
            let scales = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(all));
            let mins = _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(all, all));
            Scales {
                of_groups: _mm256_mul_ps(scales, _mm256_broadcastss_ps(d)),
                offsets: Some(Offsets { by: mins, scale: dmin }),
            }
        })
    }

    /// Group `g` of 256 nibbles.
    #[inline(always)]
    pub(super) fn nibbles_of_group(self, qs: &[u8; 128], g: usize) -> __m256i {
        let both = self.load_256(&qs.as_chunks::<32>().0[g / 2 % 4]);
        avx2!(self, {
            let shifted = if g.is_multiple_of(2) { both } else { _mm256_srli_epi16::<4>(both) };
            _mm256_and_si256(shifted, _mm256_set1_epi8(15))
        })
    }

    /// Group `g` of 6-bit quants.
    #[inline(always)]
    pub(super) fn q6_group(self, w: &BlockQ6_K, g: usize) -> __m256i {
        let (half, quarter) = (g / 4 % 2, g % 4);
        let low = self.load_256(&w.ql.as_chunks::<32>().0[2 * half + quarter % 2]);
        let high = self.load_256(&w.qh.as_chunks::<32>().0[half]);
        avx2!(self, {
            let low = if quarter < 2 { low } else { _mm256_srli_epi16::<4>(low) };
            let high = match quarter {
                0 => _mm256_slli_epi16::<4>(high),
                1 => _mm256_slli_epi16::<2>(high),
                2 => high,
                _ => _mm256_srli_epi16::<2>(high),
            };
            let low = _mm256_and_si256(low, _mm256_set1_epi8(15));
            _mm256_or_si256(low, _mm256_and_si256(high, _mm256_set1_epi8(48)))
        })
    }

    /// Broadcasts an f16 to every lane.
    #[inline(always)]
    pub(super) fn broadcast(self, half: F16) -> __m256i {
        avx2!(self, _mm256_set1_epi16(i16::from_le_bytes(half.0)))
    }

    /// Widens two f16 to f32, faster than [`F16::get`].
    #[inline(always)]
    pub(in crate::arch::x86) fn widen_two(self, a: F16, b: F16) -> [f32; 2] {
        let [[a0, a1], [b0, b1]] = [a.0, b.0];
        avx2!(self, {
            let both = _mm_cvtph_ps(_mm_cvtsi32_si128(i32::from_le_bytes([a0, a1, b0, b1])));
            [_mm_cvtss_f32(both), _mm_cvtss_f32(_mm_movehdup_ps(both))]
        })
    }

    /// Widens eight f16 to f32.
    #[inline(always)]
    pub(super) fn widen(self, h: [F16; GROUPS]) -> __m256 {
        let [a, b, c, d, e, f, g, h] = h.map(|h| i16::from_le_bytes(h.0));
        avx2!(self, _mm256_cvtph_ps(_mm_setr_epi16(a, b, c, d, e, f, g, h)))
    }

    /// 32 nibbles in the order of their values.
    #[inline(always)]
    pub(super) fn nibbles(self, qs: &[u8; QK / 2]) -> __m256i {
        let low = self.load_128(qs);
        avx2!(self, {
            let shifts = _mm256_setr_epi64x(0, 0, 4, 4);
            let both = _mm256_srlv_epi64(_mm256_broadcastsi128_si256(low), shifts);
            _mm256_and_si256(both, _mm256_set1_epi8(15))
        })
    }
}
