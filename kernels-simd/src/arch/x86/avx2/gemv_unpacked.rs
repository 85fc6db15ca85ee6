//! Products of the formats that have no tiles. Those in common use have a GEMV of their own; of the
//! others 256 weights are unpacked by a function of their format, plain Rust that is compiled for this
//! instruction set, and multiplied from there in 256-bit vectors, with one to four input rows.

use core::arch::x86_64::*;

use super::dot::{ByteDot, dot_signed};
use super::gemv_groups::Groups;
use super::gemv_low_bits::{IQ4_XS, Q2_K, Q3_K};
use super::token::{Avx2, avx2, compile};
use crate::arch::x86::AHEAD;
use crate::block::{
    BlockIQ4_NL, BlockMXFP4, BlockQ4_1, BlockQ5_0, BlockQ5_1, DType, Format, GROUPS, HALVES,
    InputBlock, LookUp, QK, QK_K, Unpack, Unpacked, for_products, format_of,
};
use crate::generic::dispatch::unpacked_product;
use crate::generic::gemm_quantized::PanelIsa;
use crate::generic::gemv::{Chunked, PANEL_TOKENS, RowDot, gemv};
use crate::generic::matmul::Gemm;
use crate::generic::prefetch::prefetch_bytes;

compile! {
    fn unpack<B: Unpack>(blocks: &[u8], out: &mut Unpacked) {
        for_products::<B>(blocks, out, Avx2::new());
    }
}

/// The format of a type that is unpacked.
pub(in crate::arch::x86) fn format(_: Avx2, dtype: DType) -> Option<Format> {
    // SAFETY: the `Avx2` is the proof that this machine runs `unpack`.
    unsafe { format_of!(dtype, unpack) }
}

impl LookUp for Avx2 {
    #[inline(always)]
    fn look_up(self, table: &[u8; 16], codes: &mut [u8; QK_K]) {
        let table = avx2!(self, _mm256_broadcastsi128_si256(self.load_128(table)));
        for codes in codes.as_chunks_mut().0 {
            let found = avx2!(self, _mm256_shuffle_epi8(table, self.load_256(codes)));
            self.store_256(found, codes);
        }
    }
}

/// A product of a type that has no tiles.
#[inline(always)]
pub(in crate::arch::x86) fn product<B: ByteDot + PanelIsa>(
    b: B,
    g: Gemm<'_, u8, InputBlock>,
    dtype: DType,
) {
    if g.out.tokens() < PANEL_TOKENS {
        match dtype {
            DType::Q4_1 => {
                return gemv::<_, _, 1>(g.typed(), Chunked(Groups::<BlockQ4_1, B>::new(b)));
            }
            DType::Q5_0 => {
                return gemv::<_, _, 1>(g.typed(), Chunked(Groups::<BlockQ5_0, B>::new(b)));
            }
            DType::Q5_1 => {
                return gemv::<_, _, 1>(g.typed(), Chunked(Groups::<BlockQ5_1, B>::new(b)));
            }
            DType::IQ4_NL => {
                return gemv::<_, _, 1>(g.typed(), Chunked(Groups::<BlockIQ4_NL, B>::new(b)));
            }
            DType::MXFP4 => {
                return gemv::<_, _, 1>(g.typed(), Chunked(Groups::<BlockMXFP4, B>::new(b)));
            }
            DType::Q2_K => return gemv::<_, _, 1>(g.typed(), Chunked(Q2_K(b))),
            DType::Q3_K => return gemv::<_, _, 1>(g.typed(), Chunked(Q3_K(b))),
            DType::IQ4_XS => return gemv::<_, _, 1>(g.typed(), Chunked(IQ4_XS(b))),
            _ => {}
        }
    }
    if let Some(format) = format(b.avx2(), dtype) {
        unpacked_product(b, UnpackedRows { isa: b, format: &format }, g, &format);
    }
}

/// Rows of a format.
#[derive(Clone, Copy)]
pub(in crate::arch::x86) struct UnpackedRows<'a, D> {
    pub isa: D,
    pub format: &'a Format,
}

impl<D: ByteDot> RowDot<u8, InputBlock> for UnpackedRows<'_, D> {
    #[inline(always)]
    fn dot<const R: usize, const T: usize>(
        &self,
        w: [&[u8]; R],
        x: [&[InputBlock]; T],
    ) -> [[f32; T]; R] {
        let isa = self.isa.avx2();
        let mut sums = [[avx2!(isa, _mm256_setzero_ps()); T]; R];
        let mut weights = Unpacked::ZERO;
        let chunks = x.iter().map(|x| x.len()).min().unwrap_or(0);
        for i in 0..chunks {
            // SAFETY: `chunks` is the length of the shortest of these slices.
            let x = x.map(|x| unsafe { x.get_unchecked(i) });
            for (w, sums) in w.into_iter().zip(sums.iter_mut()) {
                let next = w.as_ptr().wrapping_add(i * self.format.chunk + AHEAD);
                prefetch_bytes(next.cast(), self.format.chunk);
                self.format.unpack(w, i, &mut weights);
                self.add(&weights, x, sums);
            }
        }
        let mut totals = [[0.0; T]; R];
        for (totals, sums) in totals.iter_mut().zip(sums) {
            for (total, sum) in totals.iter_mut().zip(sums) {
                *total = isa.horizontal_sum(sum);
            }
        }
        totals
    }
}

impl<D: ByteDot> UnpackedRows<'_, D> {
    /// Adds the products of 256 weights and every token's inputs.
    #[inline(always)]
    fn add<const T: usize>(&self, w: &Unpacked, x: [&InputBlock; T], sums: &mut [__m256; T]) {
        let isa = self.isa.avx2();
        let bias = avx2!(isa, _mm256_set1_epi8(self.format.bias().cast_signed()));
        // Additions that depend on each other take longer than the rest: a lone token has two sums.
        let mut odd = avx2!(isa, _mm256_setzero_ps());
        for (g, quants) in w.quants.as_chunks::<QK>().0.iter().enumerate() {
            let mut products = [avx2!(isa, _mm256_setzero_si256()); T];
            for (product, x) in products.iter_mut().zip(x) {
                *product = isa.load_group(x, g);
            }
            let signed = avx2!(isa, _mm256_sub_epi8(isa.load_256(quants), bias));
            dot_signed(self.isa, signed, &mut products);
            let scales = isa.pair(&w.scales, g);
            for ((q, x), sum) in products.into_iter().zip(x).zip(sums.iter_mut()) {
                let sum = if T == 1 && g % 2 == 1 { &mut odd } else { sum };
                *sum = avx2!(isa, {
                    let scale = _mm256_mul_ps(scales, _mm256_set1_ps(x.d[g % GROUPS]));
                    _mm256_fmadd_ps(scale, _mm256_cvtepi32_ps(q), *sum)
                });
            }
        }
        if let (1, Some(sum)) = (T, sums.first_mut()) {
            *sum = avx2!(isa, _mm256_add_ps(*sum, odd));
        }
        if self.format.mins {
            for (x, sum) in x.into_iter().zip(sums) {
                *sum = isa.subtract_mins(&w.mins, x, *sum);
            }
        }
    }
}

impl Avx2 {
    /// The scales of group `g`: those of the first 16 values in the lower half.
    #[inline(always)]
    fn pair(self, scales: &[f32; HALVES], g: usize) -> __m256 {
        let [low, high] = scales.as_chunks::<2>().0[g % GROUPS];
        avx2!(self, _mm256_set_m128(_mm_set1_ps(high), _mm_set1_ps(low)))
    }

    /// Subtracts each min times the sum of its inputs.
    #[inline(always)]
    fn subtract_mins(self, mins: &[f32; HALVES], x: &InputBlock, sum: __m256) -> __m256 {
        let (d, sums) = (self.load_f32x8(&x.d), self.load_256(&x.sums));
        let [low_mins, high_mins] = [&mins.as_chunks().0[0], &mins.as_chunks().0[1]];
        avx2!(self, {
            let low = _mm256_cvtepi16_epi32(_mm256_castsi256_si128(sums));
            let high = _mm256_cvtepi16_epi32(_mm256_extracti128_si256::<1>(sums));
            let low_d = _mm256_permutevar8x32_ps(d, _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3));
            let high_d = _mm256_permutevar8x32_ps(d, _mm256_setr_epi32(4, 4, 5, 5, 6, 6, 7, 7));
            let scaled = _mm256_mul_ps(low_d, self.load_f32x8(low_mins));
            let sum = _mm256_fnmadd_ps(scaled, _mm256_cvtepi32_ps(low), sum);
            let scaled = _mm256_mul_ps(high_d, self.load_f32x8(high_mins));
            _mm256_fnmadd_ps(scaled, _mm256_cvtepi32_ps(high), sum)
        })
    }
}
