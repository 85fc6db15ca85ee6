//! f32 to Q8_0 with AVX2; the same bytes as [`crate::arch::scalar::quantize`].

use core::arch::x86_64::*;

use super::token::{Avx2, avx2};
use crate::block::{BlockQ8_0, F16, GROUPS, InputBlock, QK};
use crate::generic::quantize::{BELOW_HALF, NOT_FINITE, scale};

/// Vectors of f32 in a group.
const VECTORS: usize = QK / 8;

impl Avx2 {
    /// See [`crate::Kernels::quantize_q8_0`].
    #[inline(always)]
    pub(super) fn quantize_q8_0(self, x: &[f32], blocks: &mut [BlockQ8_0]) {
        for (x, block) in x.as_chunks::<QK>().0.iter().zip(blocks) {
            let (d, quants) = self.quantize_group(x);
            if d.is_nan() {
                *block = NOT_FINITE;
                continue;
            }
            block.d = F16::from(d);
            self.store(quants, &mut block.qs);
        }
    }

    /// See [`crate::Kernels::quantize_input`].
    #[inline(always)]
    pub(super) fn quantize_groups(self, x: &[f32], blocks: &mut [InputBlock], first: usize) {
        for (i, x) in x.as_chunks::<QK>().0.iter().enumerate() {
            let (block, group) = ((first + i) / GROUPS, (first + i) % GROUPS);
            let Some(block) = blocks.get_mut(block) else { return };
            let (d, quants) = self.quantize_group(x);
            if let Some(slot) = block.d.get_mut(group) {
                *slot = d;
            }
            if let Some(slot) = block.qs.as_chunks_mut().0.get_mut(group) {
                self.store(quants, slot);
            }
            if let Some(slot) = block.sums.as_chunks_mut().0.get_mut(group) {
                *slot = self.half_sums(quants);
            }
        }
    }

    /// The scale and the 32 quants, which are 0 under a NaN scale.
    #[inline(always)]
    fn quantize_group(self, x: &[f32; QK]) -> (f32, __m256i) {
        let mut v = [avx2!(self, _mm256_setzero_ps()); VECTORS];
        for (v, x) in v.iter_mut().zip(x.as_chunks().0) {
            *v = self.load_f32x8(x);
        }
        let (d, id) = scale(self.largest_magnitude(v));
        if d.is_nan() {
            return (d, avx2!(self, _mm256_setzero_si256()));
        }
        (d, self.round32(v, id))
    }

    /// Sums of the quants in the lower and the upper half.
    #[inline(always)]
    fn half_sums(self, quants: __m256i) -> [i16; 2] {
        avx2!(self, {
            let pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), quants);
            let quads = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
            let sums = _mm256_hadd_epi32(quads, quads);
            let sums = _mm256_hadd_epi32(sums, sums);
            let (low, high) = (_mm256_castsi256_si128(sums), _mm256_extracti128_si256::<1>(sums));
            // Sixteen quants add up to 16 * 127 at most.
            [_mm_cvtsi128_si32(low) as i16, _mm_cvtsi128_si32(high) as i16]
        })
    }

    /// Compared as integers, which orders magnitudes and puts NaN above infinity.
    #[inline(always)]
    fn largest_magnitude(self, v: [__m256; VECTORS]) -> f32 {
        avx2!(self, {
            let mask = _mm256_set1_epi32(0x7fff_ffff);
            let mut magnitudes = [_mm256_setzero_si256(); VECTORS];
            for (magnitude, v) in magnitudes.iter_mut().zip(v) {
                *magnitude = _mm256_and_si256(_mm256_castps_si256(v), mask);
            }
            let [a, b, c, d] = magnitudes;
            let m = _mm256_max_epi32(_mm256_max_epi32(a, b), _mm256_max_epi32(c, d));
            let m = _mm_max_epi32(_mm256_castsi256_si128(m), _mm256_extracti128_si256::<1>(m));
            let m = _mm_max_epi32(m, _mm_shuffle_epi32::<0b01_00_11_10>(m));
            let m = _mm_max_epi32(m, _mm_shuffle_epi32::<0b10_11_00_01>(m));
            f32::from_bits(_mm_cvtsi128_si32(m).cast_unsigned())
        })
    }

    /// Scales, rounds halves away from zero and packs to bytes in order.
    #[inline(always)]
    fn round32(self, v: [__m256; VECTORS], id: f32) -> __m256i {
        avx2!(self, {
            let id = _mm256_set1_ps(id);
            let sign = _mm256_set1_ps(-0.0);
            let below_half = _mm256_set1_ps(BELOW_HALF);
            let mut rounded = [_mm256_setzero_si256(); VECTORS];
            for (rounded, v) in rounded.iter_mut().zip(v) {
                let t = _mm256_mul_ps(v, id);
                let half = _mm256_or_ps(_mm256_and_ps(t, sign), below_half);
                *rounded = _mm256_cvttps_epi32(_mm256_add_ps(t, half));
            }
            let [a, b, c, d] = rounded;
            let bytes = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
            // The packs work within 128-bit halves: groups of four bytes come out as
            // 0 2 4 6 1 3 5 7.
            let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
            _mm256_permutevar8x32_epi32(bytes, order)
        })
    }

    #[inline(always)]
    fn store(self, quants: __m256i, qs: &mut [i8; QK]) {
        // SAFETY: `self` is the proof of AVX2; the array has room for the 32 bytes that are
        // written.
        unsafe { _mm256_storeu_si256(qs.as_mut_ptr().cast(), quants) };
    }
}
