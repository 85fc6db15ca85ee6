//! GEMV of the formats of 32 values whose panels are filled a row at a time, with one to four input
//! rows, in 256-bit vectors: a block's bytes become quants in registers.

#![allow(non_camel_case_types)] // the formats' names

use core::arch::x86_64::*;
use core::marker::PhantomData;

use bytemuck::Pod;

use super::dot::{ByteDot, GroupProducts, dot_signed, dot_unsigned};
use super::gemv_quantized::sums;
use super::token::{Avx2, avx2};
use super::unpack::{Offsets, Scales};
use crate::block::{
    BlockIQ4_NL, BlockMXFP4, BlockQ4_1, BlockQ5_0, BlockQ5_1, F16, FP4_VALUES, GROUPS, IQ4_VALUES,
    InputBlock, QK,
};
use crate::generic::gemv::{ChunkDot, PANEL_TOKENS, chunks_of_groups};

/// A block of 32 values, in vectors.
pub(in crate::arch::x86) trait Group: Pod {
    /// Whether quants have signs; else they are below 128.
    const SIGNED: bool;
    /// The quants.
    fn quants(&self, isa: Avx2) -> __m256i;
    /// What they are multiplied with, and what is subtracted.
    fn scales(w: &[Self; GROUPS], isa: Avx2) -> Scales;
}

/// Rows of such blocks.
#[derive(Clone, Copy)]
pub(in crate::arch::x86) struct Groups<W, B>(B, PhantomData<W>);

impl<W, B: ByteDot> Groups<W, B> {
    pub fn new(isa: B) -> Self {
        Groups(isa, PhantomData)
    }
}

impl<W: Group, B: ByteDot> ChunkDot for Groups<W, B> {
    chunks_of_groups!(W, W::zeroed());
    sums!(PANEL_TOKENS);

    #[inline(always)]
    fn add<const T: usize>(&self, w: &[W; GROUPS], x: [&InputBlock; T], sums: &mut [__m256; T]) {
        let isa = self.0.avx2();
        isa.dot_groups(&W::scales(w, isa), Products { isa: self.0, w }, x, sums);
    }
}

struct Products<'a, W, B> {
    isa: B,
    w: &'a [W; GROUPS],
}

impl<W: Group, B: ByteDot, const T: usize> GroupProducts<T> for Products<'_, W, B> {
    #[inline(always)]
    fn products(&self, g: usize, x: &mut [__m256i; T]) {
        let quants = self.w[g % GROUPS].quants(self.isa.avx2());
        if W::SIGNED { dot_signed(self.isa, quants, x) } else { dot_unsigned(self.isa, quants, x) }
    }
}

impl Group for BlockQ4_1 {
    const SIGNED: bool = false;

    #[inline(always)]
    fn quants(&self, isa: Avx2) -> __m256i {
        isa.nibbles(&self.qs)
    }

    #[inline(always)]
    fn scales(w: &[Self; GROUPS], isa: Avx2) -> Scales {
        isa.with_minimums(w.each_ref().map(|w| w.d), w.each_ref().map(|w| w.m))
    }
}

impl Group for BlockQ5_0 {
    const SIGNED: bool = false;

    #[inline(always)]
    fn quants(&self, isa: Avx2) -> __m256i {
        isa.five_bits(self.qh, &self.qs)
    }

    #[inline(always)]
    fn scales(w: &[Self; GROUPS], isa: Avx2) -> Scales {
        let scale = isa.widen(w.each_ref().map(|w| w.d));
        let by = avx2!(isa, _mm256_set1_epi16(16));
        Scales { of_groups: scale, offsets: Some(Offsets { by, scale }) }
    }
}

impl Group for BlockQ5_1 {
    const SIGNED: bool = false;

    #[inline(always)]
    fn quants(&self, isa: Avx2) -> __m256i {
        isa.five_bits(self.qh, &self.qs)
    }

    #[inline(always)]
    fn scales(w: &[Self; GROUPS], isa: Avx2) -> Scales {
        isa.with_minimums(w.each_ref().map(|w| w.d), w.each_ref().map(|w| w.m))
    }
}

impl Group for BlockIQ4_NL {
    const SIGNED: bool = true;

    #[inline(always)]
    fn quants(&self, isa: Avx2) -> __m256i {
        isa.values_of_codes(&IQ4_VALUES, &self.qs)
    }

    #[inline(always)]
    fn scales(w: &[Self; GROUPS], isa: Avx2) -> Scales {
        Scales { of_groups: isa.widen(w.each_ref().map(|w| w.d)), offsets: None }
    }
}

impl Group for BlockMXFP4 {
    const SIGNED: bool = true;

    #[inline(always)]
    fn quants(&self, isa: Avx2) -> __m256i {
        isa.values_of_codes(&FP4_VALUES, &self.qs)
    }

    /// [`BlockMXFP4::half_scale`] of eight blocks.
    #[inline(always)]
    fn scales(w: &[Self; GROUPS], isa: Avx2) -> Scales {
        let [a, b, c, d, e, f, g, h] = w.each_ref().map(|w| i32::from(w.e));
        let of_groups = avx2!(isa, {
            let (e, two) = (_mm256_setr_epi32(a, b, c, d, e, f, g, h), _mm256_set1_epi32(2));
            let normal = _mm256_slli_epi32::<23>(_mm256_sub_epi32(e, _mm256_set1_epi32(1)));
            let subnormal = _mm256_sllv_epi32(_mm256_set1_epi32(0x0020_0000), e);
            let is_subnormal = _mm256_cmpgt_epi32(two, e);
            _mm256_castsi256_ps(_mm256_blendv_epi8(normal, subnormal, is_subnormal))
        });
        Scales { of_groups, offsets: None }
    }
}

impl Avx2 {
    /// Of blocks whose values are `d * quant + m`.
    #[inline(always)]
    fn with_minimums(self, d: [F16; GROUPS], m: [F16; GROUPS]) -> Scales {
        let (d, m) = (self.widen(d), self.widen(m));
        let offsets = avx2!(
            self,
            Offsets { by: _mm256_set1_epi16(1), scale: _mm256_xor_ps(m, _mm256_set1_ps(-0.0)) }
        );
        Scales { of_groups: d, offsets: Some(offsets) }
    }

    /// 32 nibbles, each with its bit of `high` above.
    #[inline(always)]
    fn five_bits(self, high: [u8; QK / 8], low: &[u8; QK / 2]) -> __m256i {
        const BITS: i64 = i64::from_le_bytes([1, 2, 4, 8, 16, 32, 64, 128]);
        let low = self.nibbles(low);
        avx2!(self, {
            let high = _mm256_set1_epi32(i32::from_le_bytes(high));
            let byte_of = _mm256_setr_epi64x(
                0,
                0x0101_0101_0101_0101,
                0x0202_0202_0202_0202,
                0x0303_0303_0303_0303,
            );
            let bits = _mm256_set1_epi64x(BITS);
            let high = _mm256_and_si256(_mm256_shuffle_epi8(high, byte_of), bits);
            let is_set = _mm256_cmpeq_epi8(high, bits);
            _mm256_or_si256(low, _mm256_and_si256(is_set, _mm256_set1_epi8(16)))
        })
    }

    /// The values that 32 codes stand for.
    #[inline(always)]
    pub(super) fn values_of_codes(self, values: &[i8; 16], codes: &[u8; QK / 2]) -> __m256i {
        let (values, codes) = (self.load_128(values), self.nibbles(codes));
        avx2!(self, _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(values), codes))
    }
}
