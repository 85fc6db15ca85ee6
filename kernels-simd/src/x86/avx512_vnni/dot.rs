//! Dot products of one weight row with one to four input rows, in 512-bit vectors.

use core::arch::x86_64::*;

use super::Avx512Vnni;
use crate::block::{BlockQ4_0, F16, QK};
use crate::gemm::{ChunkDot, chunks_of_groups};
use crate::input::{GROUPS, InputBlock};
use crate::x86::prefetch;

/// Calls an intrinsic of the features that [`Avx512Vnni`] stands for.
macro_rules! vnni {
    ($call:expr) => {
        // SAFETY: called only below functions that take an `Avx512Vnni`, which exists only where
        // the machine runs these features, and that are inlined into functions enabling them.
        unsafe { $call }
    };
}

/// 32 nibbles a block, each less 8.
#[derive(Clone, Copy)]
pub(super) struct Q4_0(pub Avx512Vnni);

impl Q4_0 {
    /// Four blocks: `[low nibbles of each, high nibbles of each]`.
    #[inline(always)]
    fn quads(w: &[BlockQ4_0; 4]) -> [__m512i; 2] {
        let [a, b, c, d] = w.each_ref().map(|w| load16(&w.qs));
        vnni!({
            let v = _mm512_castsi128_si512(a);
            let v = _mm512_inserti32x4::<1>(v, b);
            let v = _mm512_inserti32x4::<2>(v, c);
            let v = _mm512_inserti32x4::<3>(v, d);
            let mask = _mm512_set1_epi8(15);
            [_mm512_and_si512(v, mask), _mm512_and_si512(_mm512_srli_epi16::<4>(v), mask)]
        })
    }

    /// The scales of a chunk: every ninth word of its first 128 bytes.
    #[inline(always)]
    fn scales(w: &[BlockQ4_0; GROUPS]) -> __m256 {
        let p = w.as_ptr().cast::<__m512i>();
        // SAFETY: the chunk has 144 bytes.
        let (a, b) = unsafe { (_mm512_loadu_si512(p), _mm512_loadu_si512(p.add(1))) };
        vnni!({
            let index = _mm512_castsi128_si512(_mm_setr_epi16(0, 9, 18, 27, 36, 45, 54, 63));
            let halves = _mm512_permutex2var_epi16(a, index, b);
            _mm256_cvtph_ps(_mm512_castsi512_si128(halves))
        })
    }
}

impl ChunkDot for Q4_0 {
    chunks_of_groups!(BlockQ4_0, BlockQ4_0 { d: F16([0; 2]), qs: [0; QK / 2] });
    type Sum = __m512;

    #[inline(always)]
    fn zero(&self) -> __m512 {
        vnni!(_mm512_setzero_ps())
    }
    #[inline(always)]
    fn prefetch(chunk: &Self::Chunk) {
        prefetch(chunk);
    }
    #[inline(always)]
    fn total(&self, sum: __m512) -> f32 {
        vnni!(_mm512_reduce_add_ps(sum))
    }
    #[inline(always)]
    fn add<const T: usize>(&self, w: &Self::Chunk, x: [&InputBlock; T], sums: &mut [__m512; T]) {
        let scales = Self::scales(w);
        let quads =
            [Self::quads(&[w[0], w[1], w[2], w[3]]), Self::quads(&[w[4], w[5], w[6], w[7]])];
        for (x, sum) in x.into_iter().zip(sums) {
            let scale = vnni!(_mm256_mul_ps(scales, load_f32(&x.d)));
            let wide = vnni!(_mm512_castps256_ps512(scale));
            let offset = vnni!({
                let sum = _mm256_madd_epi16(_mm256_set1_epi16(-8), load_sums(&x.sums));
                _mm256_mul_ps(scale, _mm256_cvtepi32_ps(sum))
            });
            *sum = vnni!(_mm512_add_ps(*sum, _mm512_zextps256_ps512(offset)));
            for (half, quad) in quads.iter().enumerate() {
                let [a, b] = [load_pair(x, 2 * half), load_pair(x, 2 * half + 1)];
                *sum = vnni!({
                    let low = _mm512_shuffle_i64x2::<0b10_00_10_00>(a, b);
                    let high = _mm512_shuffle_i64x2::<0b11_01_11_01>(a, b);
                    let q = _mm512_dpbusd_epi32(_mm512_setzero_si512(), quad[0], low);
                    let q = _mm512_dpbusd_epi32(q, quad[1], high);
                    let g = 4 * half as i32;
                    let lanes = _mm512_add_epi32(
                        _mm512_set1_epi32(g),
                        _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3),
                    );
                    let scale = _mm512_permutexvar_ps(lanes, wide);
                    _mm512_fmadd_ps(scale, _mm512_cvtepi32_ps(q), *sum)
                });
            }
        }
    }
}

/// The quants of groups `2 * pair` and `2 * pair + 1`.
#[inline(always)]
fn load_pair(x: &InputBlock, pair: usize) -> __m512i {
    let pair = &x.qs.as_chunks::<{ 2 * QK }>().0[pair % (GROUPS / 2)];
    // SAFETY: the array holds the 64 bytes that are read.
    unsafe { _mm512_loadu_si512(pair.as_ptr().cast()) }
}

#[inline(always)]
fn load16(qs: &[u8; 16]) -> __m128i {
    // SAFETY: the array holds the 16 bytes that are read.
    unsafe { _mm_loadu_si128(qs.as_ptr().cast()) }
}

#[inline(always)]
fn load_f32(x: &[f32; 8]) -> __m256 {
    // SAFETY: the array holds the 32 bytes that are read.
    unsafe { _mm256_loadu_ps(x.as_ptr()) }
}

#[inline(always)]
fn load_sums(x: &[i16; 16]) -> __m256i {
    // SAFETY: the array holds the 32 bytes that are read.
    unsafe { _mm256_loadu_si256(x.as_ptr().cast()) }
}
