//! Dot products of quantized weight rows with one to four input rows, in 256-bit vectors.

#![allow(non_camel_case_types)] // the formats' names

use core::arch::x86_64::*;

use super::dot::{ByteDot, dot_group, dot_signed, dot_unsigned};
use super::token::avx2;
use super::unpack::{Offsets, Scales};
use crate::block::{
    BlockQ4_0, BlockQ4_K, BlockQ5_K, BlockQ6_K, BlockQ8_0, F16, GROUPS, InputBlock, QK,
};
use crate::generic::gemv::{ChunkDot, PANEL_TOKENS, chunks_of_256, chunks_of_groups};

/// The parts of [`ChunkDot`] that all types share here, and from how many tokens on panels pay.
macro_rules! sums {
    ($panel_tokens:expr) => {
        type Sum = __m256;
        const PANEL_TOKENS: usize = $panel_tokens;
        #[inline(always)]
        fn zero(&self) -> __m256 {
            avx2!(self.0.avx2(), _mm256_setzero_ps())
        }
        #[inline(always)]
        fn prefetch(chunk: &Self::Chunk) {
            $crate::arch::x86::prefetch(chunk, $crate::arch::x86::AHEAD);
        }
        #[inline(always)]
        fn total(&self, sum: __m256) -> f32 {
            self.0.avx2().horizontal_sum(sum)
        }
    };
}
pub(super) use sums;

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
        let isa = self.0.avx2();
        for (g, w) in rest.iter().enumerate() {
            dot_group(self.0, [isa.broadcast(w.d), isa.load_256(&w.qs)], None, g, x, sums);
        }
    }

    #[inline(always)]
    fn add<const T: usize>(&self, w: &Self::Chunk, x: [&InputBlock; T], sums: &mut [__m256; T]) {
        let isa = self.0.avx2();
        let scales = isa.widen(w.each_ref().map(|w| w.d));
        let scales = Scales { of_groups: scales, offsets: None };
        let dot = |g: usize, x: &mut _| dot_signed(self.0, isa.load_256(&w[g % GROUPS].qs), x);
        isa.dot_groups(&scales, dot, x, sums);
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
        let isa = self.0.avx2();
        for (g, w) in rest.iter().enumerate() {
            dot_group(self.0, [isa.broadcast(w.d), isa.nibbles(&w.qs)], Some(8), g, x, sums);
        }
    }

    #[inline(always)]
    fn add<const T: usize>(&self, w: &Self::Chunk, x: [&InputBlock; T], sums: &mut [__m256; T]) {
        let isa = self.0.avx2();
        let scales = isa.widen(w.each_ref().map(|w| w.d));
        let offsets = Some(Offsets { by: avx2!(isa, _mm256_set1_epi16(8)), scale: scales });
        let scales = Scales { of_groups: scales, offsets };
        let dot = |g: usize, x: &mut _| dot_unsigned(self.0, isa.nibbles(&w[g % GROUPS].qs), x);
        isa.dot_groups(&scales, dot, x, sums);
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
        let isa = self.0.avx2();
        let scales = isa.scales_and_mins(bytemuck::bytes_of(w));
        let dot = |g, x: &mut _| dot_unsigned(self.0, isa.nibbles_of_group(&w.qs, g), x);
        isa.dot_groups(&scales, dot, x, sums);
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
        let isa = self.0.avx2();
        let scales = isa.scales_and_mins(bytemuck::bytes_of(w));
        let high = isa.load_256(&w.qh);
        let group = |g: usize| {
            // Bit `g` of each byte to bit 4.
            let count = |n| avx2!(isa, _mm_cvtsi32_si128(n));
            let high = match g as i32 {
                g @ 0..4 => avx2!(isa, _mm256_sll_epi16(high, count(4 - g))),
                g => avx2!(isa, _mm256_srl_epi16(high, count(g - 4))),
            };
            avx2!(isa, {
                let high = _mm256_and_si256(high, _mm256_set1_epi8(16));
                _mm256_or_si256(isa.nibbles_of_group(&w.qs, g), high)
            })
        };
        isa.dot_groups(&scales, |g, x: &mut _| dot_unsigned(self.0, group(g), x), x, sums);
    }
}

/// 256 values of 6 bits, each less 32, a scale for each 16.
#[derive(Clone, Copy)]
pub(in crate::arch::x86) struct Q6_K<B>(pub B);

impl<B: ByteDot> ChunkDot for Q6_K<B> {
    chunks_of_256!(BlockQ6_K);
    sums!(6);

    #[inline(always)]
    fn add<const T: usize>(&self, w: &BlockQ6_K, x: [&InputBlock; T], sums: &mut [__m256; T]) {
        let isa = self.0.avx2();
        let [d, _] = isa.widen_two(w.d, w.d);
        let halves = isa.load_128(&w.scales);
        let scales = avx2!(isa, {
            let offsets =
                Some(Offsets { by: _mm256_cvtepi8_epi16(halves), scale: _mm256_set1_ps(32.0 * d) });
            Scales { of_groups: _mm256_set1_ps(d), offsets }
        });
        let halves = isa.by_group(halves);
        let dot = |g, x: &mut [__m256i; T]| isa.dot_halves(isa.q6_group(w, g), halves, g, x);
        isa.dot_groups(&scales, dot, x, sums);
    }
}
