//! Weight blocks to bytes and scales, in 256-bit vectors.

#![allow(non_camel_case_types)] // the formats' names

use core::arch::x86_64::*;

use super::dot::{
    ByteDot, Offsets, Scales, dot_group, dot_groups, dot_signed, dot_unsigned, horizontal_sum,
};
use crate::arch::x86::{AHEAD, prefetch};
use crate::block::{
    BlockQ4_0, BlockQ4_K, BlockQ5_K, BlockQ6_K, BlockQ8_0, F16, GROUPS, InputBlock, QK,
};
use crate::generic::gemv::{ChunkDot, PANEL_TOKENS, chunks_of_256, chunks_of_groups};

/// Calls an intrinsic of AVX2, FMA or F16C.
macro_rules! avx2 {
    ($call:expr) => {
        // SAFETY: called only below functions that take a `ByteDot`, which exists only where the
        // machine runs these features, and that are inlined into functions enabling them.
        unsafe { $call }
    };
}
pub(super) use avx2;

/// The parts of [`ChunkDot`] that all types share here, and from how many tokens on panels pay.
macro_rules! sums {
    ($panel_tokens:expr) => {
        type Sum = __m256;
        const PANEL_TOKENS: usize = $panel_tokens;
        #[inline(always)]
        fn zero(&self) -> __m256 {
            avx2!(_mm256_setzero_ps())
        }
        #[inline(always)]
        fn prefetch(chunk: &Self::Chunk) {
            prefetch(chunk, AHEAD);
        }
        #[inline(always)]
        fn total(&self, sum: __m256) -> f32 {
            horizontal_sum(sum)
        }
    };
}

/// 32 bytes a block, signed.
#[derive(Clone, Copy)]
pub(in crate::arch::x86) struct Q8_0<B>(pub B);

impl<B: ByteDot> ChunkDot for Q8_0<B> {
    chunks_of_groups!(BlockQ8_0, BlockQ8_0::ZERO);
    sums!(PANEL_TOKENS);

    #[inline(always)]
    fn add_rest<const T: usize>(
        &self,
        rest: &[BlockQ8_0],
        x: [&InputBlock; T],
        sums: &mut [__m256; T],
    ) {
        for (g, w) in rest.iter().enumerate() {
            dot_group(self.0, [broadcast(w.d), load_bytes(&w.qs)], None, g, x, sums);
        }
    }

    #[inline(always)]
    fn add<const T: usize>(&self, w: &Self::Chunk, x: [&InputBlock; T], sums: &mut [__m256; T]) {
        let scales = widen(w.each_ref().map(|w| w.d));
        let scales = Scales { of_groups: scales, offsets: None };
        let dot = |g: usize, x: &mut _| dot_signed(self.0, load_bytes(&w[g % GROUPS].qs), x);
        dot_groups(&scales, dot, x, sums);
    }
}

/// 32 nibbles a block, each less 8.
#[derive(Clone, Copy)]
pub(in crate::arch::x86) struct Q4_0<B>(pub B);

impl<B: ByteDot> ChunkDot for Q4_0<B> {
    chunks_of_groups!(BlockQ4_0, BlockQ4_0 { d: F16([0; 2]), qs: [0; QK / 2] });
    sums!(6);

    #[inline(always)]
    fn add_rest<const T: usize>(
        &self,
        rest: &[BlockQ4_0],
        x: [&InputBlock; T],
        sums: &mut [__m256; T],
    ) {
        for (g, w) in rest.iter().enumerate() {
            dot_group(self.0, [broadcast(w.d), nibbles(&w.qs)], Some(8), g, x, sums);
        }
    }

    #[inline(always)]
    fn add<const T: usize>(&self, w: &Self::Chunk, x: [&InputBlock; T], sums: &mut [__m256; T]) {
        let scales = widen(w.each_ref().map(|w| w.d));
        let offsets = Some(Offsets { by: avx2!(_mm256_set1_epi16(8)), scale: scales });
        let scales = Scales { of_groups: scales, offsets };
        let dot = |g: usize, x: &mut _| dot_unsigned(self.0, nibbles(&w[g % GROUPS].qs), x);
        dot_groups(&scales, dot, x, sums);
    }
}

/// 256 nibbles, with mins.
#[derive(Clone, Copy)]
pub(in crate::arch::x86) struct Q4_K<B>(pub B);

impl<B: ByteDot> ChunkDot for Q4_K<B> {
    chunks_of_256!(BlockQ4_K);
    sums!(6);

    #[inline(always)]
    fn add<const T: usize>(&self, w: &BlockQ4_K, x: [&InputBlock; T], sums: &mut [__m256; T]) {
        let scales = scales_and_mins(bytemuck::bytes_of(w));
        let dot = |g, x: &mut _| dot_unsigned(self.0, nibbles_of_group(&w.qs, g), x);
        dot_groups(&scales, dot, x, sums);
    }
}

/// 256 values of 5 bits, with mins.
#[derive(Clone, Copy)]
pub(in crate::arch::x86) struct Q5_K<B>(pub B);

impl<B: ByteDot> ChunkDot for Q5_K<B> {
    chunks_of_256!(BlockQ5_K);
    sums!(6);

    #[inline(always)]
    fn add<const T: usize>(&self, w: &BlockQ5_K, x: [&InputBlock; T], sums: &mut [__m256; T]) {
        let scales = scales_and_mins(bytemuck::bytes_of(w));
        let high = load32(&w.qh);
        let group = |g: usize| {
            // Bit `g` of each byte to bit 4.
            let count = |n| avx2!(_mm_cvtsi32_si128(n));
            let high = match g as i32 {
                g @ 0..4 => avx2!(_mm256_sll_epi16(high, count(4 - g))),
                g => avx2!(_mm256_srl_epi16(high, count(g - 4))),
            };
            avx2!({
                let high = _mm256_and_si256(high, _mm256_set1_epi8(16));
                _mm256_or_si256(nibbles_of_group(&w.qs, g), high)
            })
        };
        dot_groups(&scales, |g, x: &mut _| dot_unsigned(self.0, group(g), x), x, sums);
    }
}

/// 256 values of 6 bits, each less 32, a scale for each 16.
#[derive(Clone, Copy)]
pub(in crate::arch::x86) struct Q6_K<B>(pub B);

impl<B: ByteDot> ChunkDot for Q6_K<B> {
    chunks_of_256!(BlockQ6_K);
    sums!(6);

    /// The scales join the sums of pairs of products, which fit 16 bits: 2 * 63 * 127.
    #[inline(always)]
    fn add<const T: usize>(&self, w: &BlockQ6_K, x: [&InputBlock; T], sums: &mut [__m256; T]) {
        let [d, _] = floats(w.d, w.d);
        let halves = load16(&w.scales.map(i8::cast_unsigned));
        let scales = avx2!({
            let offsets =
                Some(Offsets { by: _mm256_cvtepi8_epi16(halves), scale: _mm256_set1_ps(32.0 * d) });
            Scales { of_groups: _mm256_set1_ps(d), offsets }
        });
        // The groups' first scales, then their second ones.
        let halves = avx2!({
            let order = _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
            _mm256_cvtepi8_epi16(_mm_shuffle_epi8(halves, order))
        });
        let dot = |g, x: &mut [__m256i; T]| {
            let (q, word) = (q6_group(w, g), 0x0100 + 0x0202 * g as i16);
            let halves = avx2!(_mm256_shuffle_epi8(halves, _mm256_set1_epi16(word)));
            for x in x {
                *x = avx2!(_mm256_madd_epi16(_mm256_maddubs_epi16(q, *x), halves));
            }
        };
        dot_groups(&scales, dot, x, sums);
    }
}

/// `d * scale` of eight groups, and their mins, of a block that begins with `d`, `dmin` and what
/// [`crate::block::unpack_scales`] takes.
#[inline(always)]
fn scales_and_mins(block: &[u8]) -> Scales {
    let head = load16(block.first_chunk().unwrap_or(&[0; 16]));
    const TWO: i32 = 0x3030_3030;
    const FOUR: i32 = 0x0f0f_0f0f;
    const SIX: i32 = 0x3f3f_3f3f;
    avx2!({
        // Four scales, the last four bytes, four mins, the last four bytes.
        let order = _mm_setr_epi8(4, 5, 6, 7, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
        let all = _mm_shuffle_epi8(head, order);
        let lower = _mm_and_si128(all, _mm_setr_epi32(SIX, FOUR, SIX, 0));
        let upper = _mm_and_si128(_mm_srli_epi16::<4>(all), _mm_setr_epi32(0, 0, 0, FOUR));
        // What the last four bytes lack lies above the first ones.
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
fn nibbles_of_group(qs: &[u8; 128], g: usize) -> __m256i {
    let both = load32(&qs.as_chunks::<32>().0[g / 2 % 4]);
    avx2!({
        let shifted = if g.is_multiple_of(2) { both } else { _mm256_srli_epi16::<4>(both) };
        _mm256_and_si256(shifted, _mm256_set1_epi8(15))
    })
}

/// Group `g` of 6-bit quants.
#[inline(always)]
fn q6_group(w: &BlockQ6_K, g: usize) -> __m256i {
    let (half, quarter) = (g / 4 % 2, g % 4);
    let low = load32(&w.ql.as_chunks::<32>().0[2 * half + quarter % 2]);
    let high = load32(&w.qh.as_chunks::<32>().0[half]);
    avx2!({
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

/// A half in every lane.
#[inline(always)]
fn broadcast(half: F16) -> __m256i {
    avx2!(_mm256_set1_epi16(i16::from_le_bytes(half.0)))
}

/// Two halves as floats, faster than [`F16::get`].
#[inline(always)]
pub(in crate::arch::x86) fn floats(a: F16, b: F16) -> [f32; 2] {
    let [[a0, a1], [b0, b1]] = [a.0, b.0];
    avx2!({
        let both = _mm_cvtph_ps(_mm_cvtsi32_si128(i32::from_le_bytes([a0, a1, b0, b1])));
        [_mm_cvtss_f32(both), _mm_cvtss_f32(_mm_movehdup_ps(both))]
    })
}

/// Eight halves as floats.
#[inline(always)]
fn widen(h: [F16; GROUPS]) -> __m256 {
    let [a, b, c, d, e, f, g, h] = h.map(|h| i16::from_le_bytes(h.0));
    avx2!(_mm256_cvtph_ps(_mm_setr_epi16(a, b, c, d, e, f, g, h)))
}

#[inline(always)]
fn load_bytes(qs: &[i8; QK]) -> __m256i {
    // SAFETY: the array holds the 32 bytes that are read.
    unsafe { _mm256_loadu_si256(qs.as_ptr().cast()) }
}

/// 32 nibbles in the order of their values.
#[inline(always)]
fn nibbles(qs: &[u8; QK / 2]) -> __m256i {
    let low = load16(qs);
    avx2!({
        let shifts = _mm256_setr_epi64x(0, 0, 4, 4);
        let both = _mm256_srlv_epi64(_mm256_broadcastsi128_si256(low), shifts);
        _mm256_and_si256(both, _mm256_set1_epi8(15))
    })
}

#[inline(always)]
fn load16(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: the array holds the 16 bytes that are read.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[inline(always)]
fn load32(bytes: &[u8; 32]) -> __m256i {
    // SAFETY: the array holds the 32 bytes that are read.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}
