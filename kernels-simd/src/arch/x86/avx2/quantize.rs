//! f32 to Q8_0 with AVX2; the same bytes as [`crate::arch::scalar::quantize`].

use core::arch::x86_64::*;

use crate::block::{BlockQ8_0, F16, GROUPS, InputBlock, QK};
use crate::generic::quantize::{BELOW_HALF, NOT_FINITE, scale};

/// See [`crate::Kernels::quantize_q8_0`].
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn quantize_q8_0(x: &[f32], blocks: &mut [BlockQ8_0]) {
    for (x, block) in x.as_chunks::<QK>().0.iter().zip(blocks) {
        let (d, quants) = quantize_group(x);
        if d.is_nan() {
            *block = NOT_FINITE;
            continue;
        }
        block.d = F16::from(d);
        store(quants, &mut block.qs);
    }
}

/// See [`crate::Kernels::quantize_input`].
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn quantize_groups(x: &[f32], blocks: &mut [InputBlock], first: usize) {
    for (i, x) in x.as_chunks::<QK>().0.iter().enumerate() {
        let (block, group) = ((first + i) / GROUPS, (first + i) % GROUPS);
        let Some(block) = blocks.get_mut(block) else { return };
        let (d, quants) = quantize_group(x);
        if let Some(slot) = block.d.get_mut(group) {
            *slot = d;
        }
        if let Some(slot) = block.qs.as_chunks_mut().0.get_mut(group) {
            store(quants, slot);
        }
        if let Some(slot) = block.sums.as_chunks_mut().0.get_mut(group) {
            *slot = half_sums(quants);
        }
    }
}

/// The scale and the 32 quants, which are 0 under a NaN scale.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn quantize_group(x: &[f32; QK]) -> (f32, __m256i) {
    let v = load32(x);
    let (d, id) = scale(largest_magnitude(v));
    if d.is_nan() {
        return (d, _mm256_setzero_si256());
    }
    (d, round32(v, id))
}

/// Sums of the quants in the lower and the upper half.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn half_sums(quants: __m256i) -> [i16; 2] {
    let pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), quants);
    let quads = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
    let sums = _mm256_hadd_epi32(quads, quads);
    let sums = _mm256_hadd_epi32(sums, sums);
    let high = _mm256_extracti128_si256::<1>(sums);
    // Sixteen quants add up to 16 * 127 at most.
    [_mm256_castsi256_si128(sums), high].map(|half| _mm_cvtsi128_si32(half) as i16)
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn load32(x: &[f32; QK]) -> [__m256; 4] {
    let p = x.as_ptr();
    // SAFETY: the array holds 4 x 8 values.
    unsafe {
        [
            _mm256_loadu_ps(p),
            _mm256_loadu_ps(p.add(8)),
            _mm256_loadu_ps(p.add(16)),
            _mm256_loadu_ps(p.add(24)),
        ]
    }
}

/// Compared as integers, which orders magnitudes and puts NaN above infinity.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn largest_magnitude(v: [__m256; 4]) -> f32 {
    let magnitude = _mm256_set1_epi32(0x7fff_ffff);
    let [a, b, c, d] = v.map(|v| _mm256_and_si256(_mm256_castps_si256(v), magnitude));
    let m = _mm256_max_epi32(_mm256_max_epi32(a, b), _mm256_max_epi32(c, d));
    let m = _mm_max_epi32(_mm256_castsi256_si128(m), _mm256_extracti128_si256::<1>(m));
    let m = _mm_max_epi32(m, _mm_shuffle_epi32::<0b01_00_11_10>(m));
    let m = _mm_max_epi32(m, _mm_shuffle_epi32::<0b10_11_00_01>(m));
    f32::from_bits(_mm_cvtsi128_si32(m).cast_unsigned())
}

/// Scales, rounds halves away from zero and packs to bytes in order.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn round32(v: [__m256; 4], id: f32) -> __m256i {
    let id = _mm256_set1_ps(id);
    let sign = _mm256_set1_ps(-0.0);
    let below_half = _mm256_set1_ps(BELOW_HALF);
    let [a, b, c, d] = v.map(|v| {
        let t = _mm256_mul_ps(v, id);
        let half = _mm256_or_ps(_mm256_and_ps(t, sign), below_half);
        _mm256_cvttps_epi32(_mm256_add_ps(t, half))
    });
    let bytes = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
    // The packs work within 128-bit halves: groups of four bytes come out as 0 2 4 6 1 3 5 7.
    let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    _mm256_permutevar8x32_epi32(bytes, order)
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn store(quants: __m256i, qs: &mut [i8; QK]) {
    // SAFETY: the array holds the 32 bytes that are written.
    unsafe { _mm256_storeu_si256(qs.as_mut_ptr().cast(), quants) };
}
