//! Dot products of one weight row with one to four input rows, in 512-bit vectors.

use core::arch::x86_64::*;
use core::marker::PhantomData;

use super::Avx512Vnni;
use super::unpack::{Unpack, load_f32, vnni};
use crate::gemm::ChunkDot;
use crate::input::{GROUPS, InputBlock};
use crate::x86::avx2::dot::{horizontal_sum, load_group};
use crate::x86::prefetch;

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
        prefetch(chunk);
    }
    #[inline(always)]
    fn total(&self, sum: __m512) -> f32 {
        vnni!({
            let upper = _mm512_extractf32x8_ps::<1>(sum);
            horizontal_sum(_mm256_add_ps(_mm512_castps512_ps256(sum), upper))
        })
    }

    #[inline(always)]
    fn add_rest<const T: usize>(
        &self,
        rest: &[U::Block],
        x: [&InputBlock; T],
        sums: &mut [__m512; T],
    ) {
        for (g, w) in rest.iter().enumerate() {
            let Some((d, bytes)) = U::block(w) else { return };
            for (x, sum) in x.into_iter().zip(sums.iter_mut()) {
                *sum = add_group(d, bytes, U::BIAS, x, g, *sum);
            }
        }
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
/// chunk up costs more than its products.
#[inline(always)]
fn add_group(d: f32, bytes: __m256i, bias: i32, x: &InputBlock, g: usize, sum: __m512) -> __m512 {
    let quants = load_group(x, g);
    let [s0, s1] = x.half_sums(g).map(i32::from);
    vnni!({
        let offset = _mm256_zextsi128_si256(_mm_cvtsi32_si128(-bias * (s0 + s1)));
        let q = _mm256_cvtepi32_ps(_mm256_dpbusd_epi32(offset, bytes, quants));
        let scaled = _mm256_mul_ps(_mm256_set1_ps(d * x.d[g % GROUPS]), q);
        _mm512_add_ps(sum, _mm512_zextps256_ps512(scaled))
    })
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
