//! AVX2 dot products of one weight row with one input row.

use core::arch::x86_64::*;

use crate::block::{BF16, BlockQ4_0, BlockQ8_0, F16, F32, QK};
use crate::input::{GROUPS, InputBlock};

/// f32 values of one vector.
pub(super) const LANES: usize = 8;

/// A float storage type whose values load eight at a time as f32.
pub(super) trait LoadF32: Copy {
    /// The values, exactly.
    ///
    /// # Safety
    /// The machine runs AVX2, FMA and F16C.
    unsafe fn load8(w: &[Self; LANES]) -> __m256;
    /// One value, exactly.
    fn get(self) -> f32;
}

impl LoadF32 for F32 {
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn load8(w: &[Self; LANES]) -> __m256 {
        // SAFETY: the array holds the 32 bytes that are read.
        unsafe { _mm256_loadu_ps(w.as_ptr().cast()) }
    }
    fn get(self) -> f32 {
        F32::get(self)
    }
}

impl LoadF32 for F16 {
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn load8(w: &[Self; LANES]) -> __m256 {
        // SAFETY: the array holds the 16 bytes that are read.
        _mm256_cvtph_ps(unsafe { _mm_loadu_si128(w.as_ptr().cast()) })
    }
    fn get(self) -> f32 {
        F16::get(self)
    }
}

impl LoadF32 for BF16 {
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn load8(w: &[Self; LANES]) -> __m256 {
        // SAFETY: the array holds the 16 bytes that are read.
        let half = unsafe { _mm_loadu_si128(w.as_ptr().cast()) };
        _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(half)))
    }
    fn get(self) -> f32 {
        BF16::get(self)
    }
}

/// Float weights of any storage against f32: four chains of fused multiply-adds.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn dot_float<W: LoadF32>(w: &[W], x: &[f32]) -> f32 {
    let (w_chunks, w_rest) = w.as_chunks::<LANES>();
    let (x_chunks, x_rest) = x.as_chunks::<LANES>();
    let mut sums = [_mm256_setzero_ps(); 4];
    let (w_quads, w_chunks_rest) = w_chunks.as_chunks::<4>();
    let (x_quads, x_chunks_rest) = x_chunks.as_chunks::<4>();
    for (w, x) in w_quads.iter().zip(x_quads) {
        for ((sum, w), x) in sums.iter_mut().zip(w).zip(x) {
            // SAFETY: this function enables the same features.
            *sum = _mm256_fmadd_ps(unsafe { W::load8(w) }, load(x), *sum);
        }
    }
    let [mut a, b, c, d] = sums;
    for (w, x) in w_chunks_rest.iter().zip(x_chunks_rest) {
        // SAFETY: this function enables the same features.
        a = _mm256_fmadd_ps(unsafe { W::load8(w) }, load(x), a);
    }
    let rest: f32 = w_rest.iter().zip(x_rest).map(|(&w, &x)| w.get() * x).sum();
    horizontal_sum(_mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d))) + rest
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn load(x: &[f32; LANES]) -> __m256 {
    // SAFETY: the array holds the 32 bytes that are read.
    unsafe { _mm256_loadu_ps(x.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn horizontal_sum(v: __m256) -> f32 {
    let v = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
    let v = _mm_add_ps(v, _mm_movehl_ps(v, v));
    _mm_cvtss_f32(_mm_add_ss(v, _mm_movehdup_ps(v)))
}

/// Eight exact partial sums of 32 products of signed bytes. `w` may hold -128, `x` must not
/// reach it together with a `w` of -128 (our quantizer stops at -127).
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn dot_bytes(w: __m256i, x: __m256i) -> __m256i {
    let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
    _mm256_madd_epi16(pairs, _mm256_set1_epi16(1))
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn load_bytes(qs: &[i8; QK]) -> __m256i {
    // SAFETY: the array holds the 32 bytes that are read.
    unsafe { _mm256_loadu_si256(qs.as_ptr().cast()) }
}

/// See [`crate::scalar::dot::dot_q8_0`].
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn dot_q8_0(w: &[BlockQ8_0], x: &[InputBlock]) -> f32 {
    let mut sum = _mm256_setzero_ps();
    for (w, x) in w.chunks(GROUPS).zip(x) {
        for (w, (d, _, x)) in w.iter().zip(x.groups()) {
            let q = dot_bytes(load_bytes(&w.qs), load_bytes(x));
            let scale = _mm256_set1_ps(w.d.get() * d);
            sum = _mm256_fmadd_ps(scale, _mm256_cvtepi32_ps(q), sum);
        }
    }
    horizontal_sum(sum)
}

/// See [`crate::scalar::dot::dot_q4_0`].
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn dot_q4_0(w: &[BlockQ4_0], x: &[InputBlock]) -> f32 {
    let mut sum = _mm256_setzero_ps();
    for (w, x) in w.chunks(GROUPS).zip(x) {
        for (w, (d, _, x)) in w.iter().zip(x.groups()) {
            let q = dot_bytes(unpack_nibbles(&w.qs), load_bytes(x));
            let scale = _mm256_set1_ps(w.d.get() * d);
            sum = _mm256_fmadd_ps(scale, _mm256_cvtepi32_ps(q), sum);
        }
    }
    horizontal_sum(sum)
}

/// 32 nibbles, less 8, in the order of their values.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn unpack_nibbles(qs: &[u8; QK / 2]) -> __m256i {
    // SAFETY: the array holds the 16 bytes that are read.
    let low = unsafe { _mm_loadu_si128(qs.as_ptr().cast()) };
    let both = _mm256_set_m128i(_mm_srli_epi16::<4>(low), low);
    let nibbles = _mm256_and_si256(both, _mm256_set1_epi8(15));
    _mm256_sub_epi8(nibbles, _mm256_set1_epi8(8))
}
