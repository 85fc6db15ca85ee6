//! Dot products of quantized weight rows with one to four input rows, in 512-bit vectors.

use core::arch::x86_64::*;
use core::marker::PhantomData;

use super::token::{Avx512Vnni, vnni};
use super::unpack::Unpack;
use crate::arch::x86::{AHEAD, prefetch};
use crate::block::{GROUPS, InputBlock};
use crate::generic::gemv::ChunkDot;

/// Rows of one format.
pub(super) struct Rows<U> {
    isa: Avx512Vnni,
    format: PhantomData<U>,
}

impl<U> Rows<U> {
    #[inline(always)]
    pub(super) fn new(isa: Avx512Vnni) -> Self {
        Rows { isa, format: PhantomData }
    }
}

impl<U: Unpack> ChunkDot for Rows<U> {
    type Block = U::Block;
    type Chunk = U::Chunk;
    type Sum = __m512;

    #[inline(always)]
    fn zero(&self) -> __m512 {
        let isa = self.isa;
        vnni!(isa, _mm512_setzero_ps())
    }
    #[inline(always)]
    fn chunks(w: &[U::Block]) -> (&[U::Chunk], &[U::Block]) {
        U::chunks(w)
    }
    #[inline(always)]
    fn padded(rest: &[U::Block]) -> Option<U::Chunk> {
        U::padded(rest)
    }
    #[inline(always)]
    fn prefetch(chunk: &U::Chunk) {
        prefetch(chunk, AHEAD);
    }
    #[inline(always)]
    fn total(&self, sum: __m512) -> f32 {
        let isa = self.isa;
        let [low, high] = isa.halves(sum);
        isa.avx2().horizontal_sum(vnni!(isa, _mm256_add_ps(low, high)))
    }

    /// Groups are added to the lower half, in vectors of half the width: while 512-bit
    /// operations are in flight, others have one port less.
    #[inline(always)]
    fn totals<const R: usize, const T: usize>(
        &self,
        sums: [[__m512; T]; R],
        chunks: usize,
        rest: [&[U::Block]; R],
        x: [&InputBlock; T],
    ) -> [[f32; T]; R] {
        let isa = self.isa;
        let zero = vnni!(isa, _mm256_setzero_ps());
        let mut parts = [[[zero; 2]; T]; R];
        if chunks > 0 {
            for (parts, sums) in parts.iter_mut().zip(sums) {
                for (parts, sum) in parts.iter_mut().zip(sums) {
                    *parts = isa.halves(sum);
                }
            }
        }
        let bias = vnni!(isa, _mm256_set1_epi16(-U::BIAS));
        let mut offsets = [bias; T];
        for (offsets, x) in offsets.iter_mut().zip(x) {
            *offsets = vnni!(isa, _mm256_madd_epi16(bias, isa.avx2().load_256(&x.sums)));
        }
        let groups = rest.iter().map(|rest| rest.len()).min().unwrap_or(0);
        for g in 0..groups {
            for (rest, parts) in rest.into_iter().zip(parts.iter_mut()) {
                // SAFETY: `groups` is the length of the shortest of these slices.
                let w = unsafe { rest.get_unchecked(g) };
                let Some((d, bytes)) = U::block(isa, w) else { break };
                for ((x, offsets), [low, _]) in x.into_iter().zip(offsets).zip(parts) {
                    *low = isa.add_group(d, bytes, offsets, x, g, *low);
                }
            }
        }
        let mut totals = [[0.0; T]; R];
        for (totals, parts) in totals.iter_mut().zip(parts) {
            for (total, [low, high]) in totals.iter_mut().zip(parts) {
                *total = isa.avx2().horizontal_sum(vnni!(isa, _mm256_add_ps(low, high)));
            }
        }
        totals
    }

    /// A vector holds 64 products in sixteen sums of four. Four neighbours share a scale, and two
    /// vectors share all of them where [`Unpack::JOINED`].
    #[inline(always)]
    fn add<const T: usize>(&self, w: &U::Chunk, x: [&InputBlock; T], sums: &mut [__m512; T]) {
        let isa = self.isa;
        let scales = U::scales(isa, w);
        let offsets = U::offsets(isa, w, scales);
        let quads =
            [U::quad(isa, w, 0), U::quad(isa, w, 1), U::quad(isa, w, 2), U::quad(isa, w, 3)];
        let zero = vnni!(isa, _mm512_setzero_si512());
        for (x, sum) in x.into_iter().zip(sums) {
            let d = isa.avx2().load_f32x8(&x.d);
            *sum = vnni!(isa, {
                let products = _mm256_madd_epi16(offsets.by, isa.avx2().load_256(&x.sums));
                let scale = _mm512_zextps256_ps512(_mm256_mul_ps(offsets.scale, d));
                let offset = _mm512_zextsi256_si512(products);
                _mm512_fmadd_ps(scale, _mm512_cvtepi32_ps(offset), *sum)
            });
            let scales = vnni!(isa, _mm512_mul_ps(scales, isa.each_twice(d)));
            // Written out, without closures: the order of these calls is the order of instructions.
            *sum = if U::JOINED {
                let half = isa.add_scaled(
                    scales,
                    U::lanes(isa, 0),
                    isa.products::<U>(quads, x, 1, isa.products::<U>(quads, x, 0, zero)),
                    *sum,
                );
                isa.add_scaled(
                    scales,
                    U::lanes(isa, 2),
                    isa.products::<U>(quads, x, 3, isa.products::<U>(quads, x, 2, zero)),
                    half,
                )
            } else {
                let half = isa.add_products::<U>(scales, quads, x, 0, *sum);
                let half = isa.add_products::<U>(scales, quads, x, 1, half);
                let half = isa.add_products::<U>(scales, quads, x, 2, half);
                isa.add_products::<U>(scales, quads, x, 3, half)
            };
        }
    }
}

impl Avx512Vnni {
    /// The products of one group: the rows of narrow matrices are not whole chunks, and padding a
    /// chunk costs more than its products. `offsets` are added to every group's.
    #[inline(always)]
    fn add_group(
        self,
        d: __m256,
        bytes: __m256i,
        offsets: __m256i,
        x: &InputBlock,
        g: usize,
        sum: __m256,
    ) -> __m256 {
        let quants = self.avx2().load_group(x, g);
        vnni!(self, {
            let offset = _mm256_maskz_permutexvar_epi32(1, _mm256_set1_epi32(g as i32), offsets);
            let q = _mm256_cvtepi32_ps(self.dot_256(offset, bytes, quants));
            let scale = _mm256_mul_ps(d, _mm256_set1_ps(x.d[g % GROUPS]));
            _mm256_add_ps(sum, _mm256_mul_ps(scale, q))
        })
    }

    #[inline(always)]
    fn halves(self, v: __m512) -> [__m256; 2] {
        vnni!(self, [_mm512_castps512_ps256(v), _mm512_extractf32x8_ps::<1>(v)])
    }

    /// Adds the products of vector `i` to `sums`.
    #[inline(always)]
    fn products<U: Unpack>(
        self,
        quads: [__m512i; 4],
        x: &InputBlock,
        i: usize,
        sums: __m512i,
    ) -> __m512i {
        self.dot(sums, quads[i % 4], U::input(self, x, i))
    }

    /// Adds the products of vector `i`, scaled, to `sum`.
    #[inline(always)]
    fn add_products<U: Unpack>(
        self,
        scales: __m512,
        quads: [__m512i; 4],
        x: &InputBlock,
        i: usize,
        sum: __m512,
    ) -> __m512 {
        let zero = vnni!(self, _mm512_setzero_si512());
        let lanes = U::lanes(self, i);
        self.add_scaled(scales, lanes, self.products::<U>(quads, x, i, zero), sum)
    }

    /// `sum + scales[lanes] * q`.
    #[inline(always)]
    fn add_scaled(self, scales: __m512, lanes: __m512i, q: __m512i, sum: __m512) -> __m512 {
        vnni!(
            self,
            _mm512_fmadd_ps(_mm512_permutexvar_ps(lanes, scales), _mm512_cvtepi32_ps(q), sum)
        )
    }
}
