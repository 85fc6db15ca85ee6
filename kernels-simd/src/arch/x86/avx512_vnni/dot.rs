//! Dot products of one weight row with one to four input rows, in 512-bit vectors.

use core::arch::x86_64::*;
use core::marker::PhantomData;

use super::Avx512Vnni;
use super::unpack::{Unpack, load_f32, vnni};
use crate::arch::x86::avx2::dot::{horizontal_sum, load_group};
use crate::arch::x86::{AHEAD, prefetch};
use crate::block::{GROUPS, InputBlock};
use crate::generic::gemv::ChunkDot;

/// Rows of one format.
pub(super) struct Rows<U> {
    // Proof for the intrinsics.
    _isa: Avx512Vnni,
    format: PhantomData<U>,
}

impl<U> Rows<U> {
    #[inline(always)]
    pub(super) fn new(isa: Avx512Vnni) -> Self {
        Rows { _isa: isa, format: PhantomData }
    }
}

impl<U: Unpack> ChunkDot for Rows<U> {
    type Block = U::Block;
    type Chunk = U::Chunk;
    type Sum = __m512;

    #[inline(always)]
    fn zero(&self) -> __m512 {
        vnni!(_mm512_setzero_ps())
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
        let [low, high] = halves(sum);
        horizontal_sum(vnni!(_mm256_add_ps(low, high)))
    }

    /// Groups are added to the lower half, in vectors of half the width: while wider operations are
    /// on their way, there is one port less for others.
    #[inline(always)]
    fn totals<const R: usize, const T: usize>(
        &self,
        sums: [[__m512; T]; R],
        chunks: usize,
        rest: [&[U::Block]; R],
        x: [&InputBlock; T],
    ) -> [[f32; T]; R] {
        let zero = vnni!(_mm256_setzero_ps());
        let mut parts = [[[zero; 2]; T]; R];
        if chunks > 0 {
            for (parts, sums) in parts.iter_mut().zip(sums) {
                for (parts, sum) in parts.iter_mut().zip(sums) {
                    *parts = halves(sum);
                }
            }
        }
        let bias = vnni!(_mm256_set1_epi16(-U::BIAS));
        let mut offsets = [bias; T];
        for (offsets, x) in offsets.iter_mut().zip(x) {
            *offsets = vnni!(_mm256_madd_epi16(bias, load_sums(&x.sums)));
        }
        let groups = rest.iter().map(|rest| rest.len()).min().unwrap_or(0);
        for g in 0..groups {
            for (rest, parts) in rest.into_iter().zip(parts.iter_mut()) {
                // SAFETY: `groups` is the length of the shortest of these slices.
                let w = unsafe { rest.get_unchecked(g) };
                let Some((d, bytes)) = U::block(w) else { break };
                for ((x, offsets), [low, _]) in x.into_iter().zip(offsets).zip(parts) {
                    *low = add_group(d, bytes, offsets, x, g, *low);
                }
            }
        }
        let mut totals = [[0.0; T]; R];
        for (totals, parts) in totals.iter_mut().zip(parts) {
            for (total, [low, high]) in totals.iter_mut().zip(parts) {
                *total = horizontal_sum(vnni!(_mm256_add_ps(low, high)));
            }
        }
        totals
    }

    /// A vector holds 64 products in sixteen sums of four. Four neighbours share a scale, and two
    /// vectors share all of them where [`Unpack::JOINED`].
    #[inline(always)]
    fn add<const T: usize>(&self, w: &U::Chunk, x: [&InputBlock; T], sums: &mut [__m512; T]) {
        let scales = U::scales(w);
        let offsets = U::offsets(w, scales);
        let quads = [U::quad(w, 0), U::quad(w, 1), U::quad(w, 2), U::quad(w, 3)];
        let zero = vnni!(_mm512_setzero_si512());
        for (x, sum) in x.into_iter().zip(sums) {
            let d = load_f32(&x.d);
            *sum = vnni!({
                let products = _mm256_madd_epi16(offsets.by, load_sums(&x.sums));
                let scale = _mm512_zextps256_ps512(_mm256_mul_ps(offsets.scale, d));
                let offset = _mm512_zextsi256_si512(products);
                _mm512_fmadd_ps(scale, _mm512_cvtepi32_ps(offset), *sum)
            });
            let scales = vnni!(_mm512_mul_ps(scales, each_twice(d)));
            *sum = if U::JOINED {
                let half = add_scaled(
                    scales,
                    U::lanes(0),
                    products::<U>(quads, x, 1, products::<U>(quads, x, 0, zero)),
                    *sum,
                );
                add_scaled(
                    scales,
                    U::lanes(2),
                    products::<U>(quads, x, 3, products::<U>(quads, x, 2, zero)),
                    half,
                )
            } else {
                let half = add_scaled(scales, U::lanes(0), products::<U>(quads, x, 0, zero), *sum);
                let half = add_scaled(scales, U::lanes(1), products::<U>(quads, x, 1, zero), half);
                let half = add_scaled(scales, U::lanes(2), products::<U>(quads, x, 2, zero), half);
                add_scaled(scales, U::lanes(3), products::<U>(quads, x, 3, zero), half)
            };
        }
    }
}

/// The products of one group: the rows of narrow matrices are not whole chunks, and filling a
/// chunk up costs more than its products. `offsets` are added to every group's.
#[inline(always)]
fn add_group(
    d: __m256,
    bytes: __m256i,
    offsets: __m256i,
    x: &InputBlock,
    g: usize,
    sum: __m256,
) -> __m256 {
    let quants = load_group(x, g);
    vnni!({
        let offset = _mm256_maskz_permutexvar_epi32(1, _mm256_set1_epi32(g as i32), offsets);
        let q = _mm256_cvtepi32_ps(_mm256_dpbusd_epi32(offset, bytes, quants));
        let scale = _mm256_mul_ps(d, _mm256_set1_ps(x.d[g % GROUPS]));
        _mm256_add_ps(sum, _mm256_mul_ps(scale, q))
    })
}

#[inline(always)]
fn halves(v: __m512) -> [__m256; 2] {
    vnni!([_mm512_castps512_ps256(v), _mm512_extractf32x8_ps::<1>(v)])
}

/// Adds the products of vector `i` to `sums`.
#[inline(always)]
fn products<U: Unpack>(quads: [__m512i; 4], x: &InputBlock, i: usize, sums: __m512i) -> __m512i {
    vnni!(_mm512_dpbusd_epi32(sums, quads[i % 4], U::input(x, i)))
}

/// `sum + scales[lanes] * q`.
#[inline(always)]
fn add_scaled(scales: __m512, lanes: __m512i, q: __m512i, sum: __m512) -> __m512 {
    vnni!(_mm512_fmadd_ps(_mm512_permutexvar_ps(lanes, scales), _mm512_cvtepi32_ps(q), sum))
}

/// Numbers of 32 columns as numbers of 16.
#[inline(always)]
pub(super) fn each_twice(v: __m256) -> __m512 {
    vnni!({
        let lanes = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
        _mm512_permutexvar_ps(lanes, _mm512_castps256_ps512(v))
    })
}

/// The quants of groups `2 * pair` and `2 * pair + 1`.
#[inline(always)]
pub(super) fn load_pair(x: &InputBlock, pair: usize) -> __m512i {
    let pair = &x.qs.as_chunks::<64>().0[pair % (GROUPS / 2)];
    // SAFETY: the array holds the 64 bytes that are read.
    unsafe { _mm512_loadu_si512(pair.as_ptr().cast()) }
}

#[inline(always)]
fn load_sums(x: &[i16; 16]) -> __m256i {
    // SAFETY: the array holds the 32 bytes that are read.
    unsafe { _mm256_loadu_si256(x.as_ptr().cast()) }
}
