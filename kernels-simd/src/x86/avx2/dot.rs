//! Dot products of one weight row with one to four input rows, in 256-bit vectors: AVX2, and the
//! two VNNI extensions, which differ in one instruction.

use core::arch::x86_64::*;

use super::unpack::avx2;
use crate::block::{BF16, F16, F32, QK};
use crate::input::{GROUPS, InputBlock};
use crate::x86::prefetch;

/// f32 values of one vector.
pub(in crate::x86) const LANES: usize = 8;

/// Proof that the machine runs AVX2, FMA and F16C, and what else the byte products take. Its
/// methods are inlined into functions that enable these features.
pub(in crate::x86) trait ByteDot: Copy {
    /// Adds to each 32-bit lane four products of an unsigned byte, at most 127, and a signed one.
    fn dot(self, acc: __m256i, unsigned: __m256i, signed: __m256i) -> __m256i;
}

/// What weights add to every product besides their quants': `scale * (by . sums)` for each group,
/// `sums` being the input's.
pub(super) struct Offsets {
    /// For each 16 values.
    pub by: __m256i,
    /// For each group of 32.
    pub scale: __m256,
}

impl Offsets {
    #[inline(always)]
    pub(super) fn add(&self, x: &InputBlock, sum: __m256) -> __m256 {
        avx2!({
            let scale = _mm256_mul_ps(self.scale, load_f32(&x.d));
            let offset = _mm256_madd_epi16(self.by, load_sums(&x.sums));
            _mm256_fmadd_ps(scale, _mm256_cvtepi32_ps(offset), sum)
        })
    }
}

/// For weights with one scale per group of 32: `scales` are a chunk's.
#[inline(always)]
pub(super) fn dot_groups<B: ByteDot, const T: usize>(
    b: B,
    scales: __m256,
    offsets: Option<Offsets>,
    group: impl Fn(usize) -> __m256i,
    signed: bool,
    x: [&InputBlock; T],
    sums: &mut [__m256; T],
) {
    let mut scaled = [[0.0f32; GROUPS]; T];
    for ((scaled, x), sum) in scaled.iter_mut().zip(x).zip(sums.iter_mut()) {
        let s = avx2!(_mm256_mul_ps(scales, load_f32(&x.d)));
        // SAFETY: the array holds the 8 values that are written.
        unsafe { _mm256_storeu_ps(scaled.as_mut_ptr(), s) };
        if let Some(offsets) = &offsets {
            *sum = offsets.add(x, *sum);
        }
    }
    for g in 0..GROUPS {
        let w = group(g);
        let magnitude = if signed { avx2!(_mm256_abs_epi8(w)) } else { w };
        for ((scaled, x), sum) in scaled.iter().zip(x).zip(sums.iter_mut()) {
            let x = load_group(x, g);
            let x = if signed { avx2!(_mm256_sign_epi8(x, w)) } else { x };
            let q = b.dot(avx2!(_mm256_setzero_si256()), magnitude, x);
            let scale = avx2!(_mm256_set1_ps(scaled[g % GROUPS]));
            *sum = avx2!(_mm256_fmadd_ps(scale, _mm256_cvtepi32_ps(q), *sum));
        }
    }
}

/// The quants of group `g` (below [`GROUPS`]).
#[inline(always)]
pub(super) fn load_group(x: &InputBlock, g: usize) -> __m256i {
    let group = &x.qs.as_chunks::<QK>().0[g % GROUPS];
    // SAFETY: the array holds the 32 bytes that are read.
    unsafe { _mm256_loadu_si256(group.as_ptr().cast()) }
}

#[inline(always)]
fn load_f32(x: &[f32; LANES]) -> __m256 {
    // SAFETY: the array holds the 32 bytes that are read.
    unsafe { _mm256_loadu_ps(x.as_ptr()) }
}

#[inline(always)]
fn load_sums(x: &[i16; 16]) -> __m256i {
    // SAFETY: the array holds the 32 bytes that are read.
    unsafe { _mm256_loadu_si256(x.as_ptr().cast()) }
}

#[inline(always)]
pub(in crate::x86) fn horizontal_sum(v: __m256) -> f32 {
    avx2!({
        let v = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
        let v = _mm_add_ps(v, _mm_movehl_ps(v, v));
        _mm_cvtss_f32(_mm_add_ss(v, _mm_movehdup_ps(v)))
    })
}

/// A float storage type whose values load eight at a time as f32.
pub(in crate::x86) trait LoadF32: Copy {
    /// The values, exactly.
    fn load8(w: &[Self; LANES]) -> __m256;
    /// One value, exactly.
    fn get(self) -> f32;
}

impl LoadF32 for F32 {
    #[inline(always)]
    fn load8(w: &[Self; LANES]) -> __m256 {
        // SAFETY: the array holds the 32 bytes that are read.
        unsafe { _mm256_loadu_ps(w.as_ptr().cast()) }
    }
    #[inline(always)]
    fn get(self) -> f32 {
        F32::get(self)
    }
}

impl LoadF32 for F16 {
    #[inline(always)]
    fn load8(w: &[Self; LANES]) -> __m256 {
        // SAFETY: the array holds the 16 bytes that are read.
        let half = unsafe { _mm_loadu_si128(w.as_ptr().cast()) };
        avx2!(_mm256_cvtph_ps(half))
    }
    #[inline(always)]
    fn get(self) -> f32 {
        F16::get(self)
    }
}

impl LoadF32 for BF16 {
    #[inline(always)]
    fn load8(w: &[Self; LANES]) -> __m256 {
        // SAFETY: the array holds the 16 bytes that are read.
        let half = unsafe { _mm_loadu_si128(w.as_ptr().cast()) };
        avx2!(_mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(half))))
    }
    #[inline(always)]
    fn get(self) -> f32 {
        BF16::get(self)
    }
}

/// Float weights of any storage against f32: four chains of fused multiply-adds.
#[inline(always)]
pub(in crate::x86) fn dot_float<W: LoadF32>(w: &[W], x: &[f32]) -> f32 {
    let (w_chunks, w_rest) = w.as_chunks::<LANES>();
    let (x_chunks, x_rest) = x.as_chunks::<LANES>();
    let mut sums = [avx2!(_mm256_setzero_ps()); 4];
    let (w_quads, w_chunks_rest) = w_chunks.as_chunks::<4>();
    let (x_quads, x_chunks_rest) = x_chunks.as_chunks::<4>();
    for (w, x) in w_quads.iter().zip(x_quads) {
        prefetch(w);
        for ((sum, w), x) in sums.iter_mut().zip(w).zip(x) {
            *sum = avx2!(_mm256_fmadd_ps(W::load8(w), load_f32(x), *sum));
        }
    }
    let [mut a, b, c, d] = sums;
    for (w, x) in w_chunks_rest.iter().zip(x_chunks_rest) {
        a = avx2!(_mm256_fmadd_ps(W::load8(w), load_f32(x), a));
    }
    let rest: f32 = w_rest.iter().zip(x_rest).map(|(&w, &x)| w.get() * x).sum();
    horizontal_sum(avx2!(_mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d)))) + rest
}
