//! GEMV of Q2_K, Q3_K and IQ4_XS, with one to four input rows, in 256-bit vectors.

#![allow(non_camel_case_types)] // the formats' names

use core::arch::x86_64::*;

use super::dot::{ByteDot, GroupProducts, dot_signed};
use super::gemv_quantized::sums;
use super::token::{Avx2, avx2};
use super::unpack::{Offsets, Scales};
use crate::block::{BlockIQ4_XS, BlockQ2_K, BlockQ3_K, F16, IQ4_VALUES, InputBlock, QK, QK_K};
use crate::generic::gemv::{ChunkDot, PANEL_TOKENS, chunks_of_256};

/// 256 values of 2 bits, a scale and a min for each 16.
#[derive(Clone, Copy)]
pub(in crate::arch::x86) struct Q2_K<B>(pub B);

impl<B: ByteDot> ChunkDot for Q2_K<B> {
    chunks_of_256!(BlockQ2_K);
    sums!(PANEL_TOKENS);

    #[inline(always)]
    fn add<const T: usize>(&self, w: &BlockQ2_K, x: [&InputBlock; T], sums: &mut [__m256; T]) {
        let isa = self.0.avx2();
        let [d, dmin] = isa.widen_two(w.d, w.dmin);
        let both = isa.load_128(&w.scales);
        let (halves, scales) = avx2!(isa, {
            let low = _mm_set1_epi8(15);
            let mins = _mm_and_si128(_mm_srli_epi16::<4>(both), low);
            let offsets = Offsets { by: _mm256_cvtepu8_epi16(mins), scale: _mm256_set1_ps(dmin) };
            let scales = Scales { of_groups: _mm256_set1_ps(d), offsets: Some(offsets) };
            (_mm_and_si128(both, low), scales)
        });
        let products = Q2Products { isa, w, halves: isa.by_group(halves) };
        isa.dot_groups(&scales, products, x, sums);
    }
}

struct Q2Products<'a> {
    isa: Avx2,
    w: &'a BlockQ2_K,
    halves: __m256i,
}

impl<const T: usize> GroupProducts<T> for Q2Products<'_> {
    #[inline(always)]
    fn products(&self, g: usize, x: &mut [__m256i; T]) {
        let Q2Products { isa, w, halves } = *self;
        isa.dot_halves(isa.quarter(&w.qs, g), halves, g, x);
    }
}

/// 256 values of 3 bits, each less 4, a scale for each 16.
#[derive(Clone, Copy)]
pub(in crate::arch::x86) struct Q3_K<B>(pub B);

impl<B: ByteDot> ChunkDot for Q3_K<B> {
    chunks_of_256!(BlockQ3_K);
    sums!(PANEL_TOKENS);

    #[inline(always)]
    fn add<const T: usize>(&self, w: &BlockQ3_K, x: [&InputBlock; T], sums: &mut [__m256; T]) {
        let isa = self.0.avx2();
        let [d, _] = isa.widen_two(w.d, w.d);
        let halves = isa.q3_scales(&w.scales);
        let scales = avx2!(isa, {
            let by = _mm256_cvtepi8_epi16(halves);
            let offsets = Some(Offsets { by, scale: _mm256_set1_ps(4.0 * d) });
            Scales { of_groups: _mm256_set1_ps(d), offsets }
        });
        let (halves, high) = (isa.by_group(halves), isa.load_256(&w.hmask));
        isa.dot_groups(&scales, Q3Products { isa, w, halves, high }, x, sums);
    }
}

struct Q3Products<'a> {
    isa: Avx2,
    w: &'a BlockQ3_K,
    halves: __m256i,
    high: __m256i,
}

impl<const T: usize> GroupProducts<T> for Q3Products<'_> {
    #[inline(always)]
    fn products(&self, g: usize, x: &mut [__m256i; T]) {
        let Q3Products { isa, w, halves, high } = *self;
        let low = isa.quarter(&w.qs, g);
        let quants = avx2!(isa, {
            let bit = _mm256_set1_epi8(1i8.wrapping_shl(g as u32));
            let is_set = _mm256_cmpeq_epi8(_mm256_and_si256(high, bit), bit);
            _mm256_or_si256(low, _mm256_and_si256(is_set, _mm256_set1_epi8(4)))
        });
        isa.dot_halves(quants, halves, g, x);
    }
}

/// 256 codes, a scale for each 32.
#[derive(Clone, Copy)]
pub(in crate::arch::x86) struct IQ4_XS<B>(pub B);

impl<B: ByteDot> ChunkDot for IQ4_XS<B> {
    chunks_of_256!(BlockIQ4_XS);
    sums!(PANEL_TOKENS);

    #[inline(always)]
    fn add<const T: usize>(&self, w: &BlockIQ4_XS, x: [&InputBlock; T], sums: &mut [__m256; T]) {
        let isa = self.0.avx2();
        let [d, _] = isa.widen_two(w.d, F16([0; 2]));
        let low = i32::from_le_bytes(w.scales_l);
        let high = i32::from(u16::from_le_bytes(w.scales_h));
        let of_groups = avx2!(isa, {
            let by = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            let low = _mm256_srlv_epi32(_mm256_set1_epi32(low), _mm256_slli_epi32::<2>(by));
            let high = _mm256_srlv_epi32(_mm256_set1_epi32(high), _mm256_slli_epi32::<1>(by));
            let high = _mm256_slli_epi32::<4>(_mm256_and_si256(high, _mm256_set1_epi32(3)));
            let bits = _mm256_or_si256(_mm256_and_si256(low, _mm256_set1_epi32(15)), high);
            let scales = _mm256_cvtepi32_ps(_mm256_sub_epi32(bits, _mm256_set1_epi32(32)));
            _mm256_mul_ps(scales, _mm256_set1_ps(d))
        });
        let scales = Scales { of_groups, offsets: None };
        isa.dot_groups(&scales, CodeProducts { isa: self.0, codes: &w.qs }, x, sums);
    }
}

struct CodeProducts<'a, B> {
    isa: B,
    codes: &'a [[u8; QK / 2]; QK_K / QK],
}

impl<B: ByteDot, const T: usize> GroupProducts<T> for CodeProducts<'_, B> {
    #[inline(always)]
    fn products(&self, g: usize, x: &mut [__m256i; T]) {
        let codes = &self.codes[g % (QK_K / QK)];
        dot_signed(self.isa, self.isa.avx2().values_of_codes(&IQ4_VALUES, codes), x);
    }
}

impl Avx2 {
    /// Group `g` of 256 quants of 2 bits.
    #[inline(always)]
    fn quarter(self, qs: &[u8; QK_K / 4], g: usize) -> __m256i {
        let all = self.load_256(&qs.as_chunks::<32>().0[g / 4 % 2]);
        avx2!(self, {
            let shifted = match g % 4 {
                0 => all,
                1 => _mm256_srli_epi16::<2>(all),
                2 => _mm256_srli_epi16::<4>(all),
                _ => _mm256_srli_epi16::<6>(all),
            };
            _mm256_and_si256(shifted, _mm256_set1_epi8(3))
        })
    }

    /// Q3_K's scales, each less 32.
    #[inline(always)]
    fn q3_scales(self, scales: &[u8; 12]) -> __m128i {
        let [low @ .., a, b, c, d] = *scales;
        let (low, high) = (i64::from_le_bytes(low), i32::from_le_bytes([a, b, c, d]));
        avx2!(self, {
            let low = _mm_cvtsi64_si128(low);
            let low = _mm_unpacklo_epi64(low, _mm_srli_epi16::<4>(low));
            let low = _mm_and_si128(low, _mm_set1_epi8(15));
            // Bits 2i .. of four bytes are above scales 4i ..
            let high = _mm_srlv_epi32(_mm_set1_epi32(high), _mm_setr_epi32(0, 2, 4, 6));
            let high = _mm_slli_epi16::<4>(_mm_and_si128(high, _mm_set1_epi8(3)));
            _mm_sub_epi8(_mm_or_si128(low, high), _mm_set1_epi8(32))
        })
    }

    /// Sixteen scales in the order that [`Avx2::dot_halves`] takes: the groups' first ones, then
    /// their second ones.
    #[inline(always)]
    pub(super) fn by_group(self, halves: __m128i) -> __m256i {
        avx2!(self, {
            let order = _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
            _mm256_cvtepi8_epi16(_mm_shuffle_epi8(halves, order))
        })
    }

    /// Quants of group `g`, at most 63, times every token's bytes and the group's two scales, which
    /// join the sums of pairs of products: these fit 16 bits, 2 * 63 * 127.
    #[inline(always)]
    pub(super) fn dot_halves<const T: usize>(
        self,
        quants: __m256i,
        halves: __m256i,
        g: usize,
        x: &mut [__m256i; T],
    ) {
        let word = 0x0100 + 0x0202 * g as i16;
        let halves = avx2!(self, _mm256_shuffle_epi8(halves, _mm256_set1_epi16(word)));
        for x in x {
            *x = avx2!(self, _mm256_madd_epi16(_mm256_maddubs_epi16(quants, *x), halves));
        }
    }
}
