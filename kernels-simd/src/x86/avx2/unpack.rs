//! Weight blocks to bytes and scales, in 256-bit vectors.

use core::arch::x86_64::*;

use super::dot::{ByteDot, dot_groups, horizontal_sum};
use crate::block::{BlockQ4_0, BlockQ8_0, F16, QK};
use crate::gemm::{ChunkDot, chunks_of_groups};
use crate::input::{GROUPS, InputBlock};
use crate::x86::prefetch;

/// Calls an intrinsic of AVX2, FMA or F16C.
macro_rules! avx2 {
    ($call:expr) => {
        // SAFETY: called only below functions that take a `ByteDot`, which exists only where the
        // machine runs these features, and that are inlined into functions enabling them.
        unsafe { $call }
    };
}
pub(super) use avx2;

/// The parts of [`ChunkDot`] that all types share here.
macro_rules! sums {
    () => {
        type Sum = __m256;
        #[inline(always)]
        fn zero(&self) -> __m256 {
            avx2!(_mm256_setzero_ps())
        }
        #[inline(always)]
        fn prefetch(chunk: &Self::Chunk) {
            prefetch(chunk);
        }
        #[inline(always)]
        fn total(&self, sum: __m256) -> f32 {
            horizontal_sum(sum)
        }
    };
}

/// 32 bytes a block, signed.
#[derive(Clone, Copy)]
pub(in crate::x86) struct Q8_0<B>(pub B);

impl<B: ByteDot> ChunkDot for Q8_0<B> {
    chunks_of_groups!(BlockQ8_0, BlockQ8_0::ZERO);
    sums!();

    #[inline(always)]
    fn add<const T: usize>(&self, w: &Self::Chunk, x: [&InputBlock; T], sums: &mut [__m256; T]) {
        let scales = widen(w.each_ref().map(|w| w.d));
        dot_groups(self.0, scales, None, |g| load_bytes(&w[g % GROUPS].qs), true, x, sums);
    }
}

/// 32 nibbles a block, each less 8.
#[derive(Clone, Copy)]
pub(in crate::x86) struct Q4_0<B>(pub B);

impl<B: ByteDot> ChunkDot for Q4_0<B> {
    chunks_of_groups!(BlockQ4_0, BlockQ4_0 { d: F16([0; 2]), qs: [0; QK / 2] });
    sums!();

    #[inline(always)]
    fn add<const T: usize>(&self, w: &Self::Chunk, x: [&InputBlock; T], sums: &mut [__m256; T]) {
        let scales = widen(w.each_ref().map(|w| w.d));
        let offsets = Some(avx2!(_mm256_set1_epi16(-8)));
        dot_groups(self.0, scales, offsets, |g| nibbles(&w[g % GROUPS].qs), false, x, sums);
    }
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
    // SAFETY: the array holds the 16 bytes that are read.
    let low = unsafe { _mm_loadu_si128(qs.as_ptr().cast()) };
    avx2!({
        let both = _mm256_set_m128i(_mm_srli_epi16::<4>(low), low);
        _mm256_and_si256(both, _mm256_set1_epi8(15))
    })
}
