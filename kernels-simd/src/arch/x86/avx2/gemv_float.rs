//! Dot products of float weights, of any storage, with a few rows of f32, in 256-bit vectors.

use core::arch::x86_64::*;

use super::token::{Avx2, avx2};
use crate::arch::x86::{AHEAD, prefetch};
use crate::block::{BF16, F16, F32};
use crate::generic::gemv::RowDot;

/// f32 values of one vector.
pub(super) const LANES: usize = 8;

/// A float storage type whose values load eight at a time as f32.
pub(in crate::arch::x86) trait LoadF32: Copy {
    /// The values, exactly.
    fn load8(isa: Avx2, w: &[Self; LANES]) -> __m256;
    /// One value, exactly.
    fn get(self) -> f32;
}

impl LoadF32 for F32 {
    #[inline(always)]
    fn load8(isa: Avx2, w: &[Self; LANES]) -> __m256 {
        avx2!(isa, _mm256_castsi256_ps(isa.load_256(w)))
    }
    #[inline(always)]
    fn get(self) -> f32 {
        F32::get(self)
    }
}

impl LoadF32 for F16 {
    #[inline(always)]
    fn load8(isa: Avx2, w: &[Self; LANES]) -> __m256 {
        avx2!(isa, _mm256_cvtph_ps(isa.load_128(w)))
    }
    #[inline(always)]
    fn get(self) -> f32 {
        F16::get(self)
    }
}

impl LoadF32 for BF16 {
    #[inline(always)]
    fn load8(isa: Avx2, w: &[Self; LANES]) -> __m256 {
        avx2!(isa, {
            let upper = _mm256_cvtepu16_epi32(isa.load_128(w));
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(upper))
        })
    }
    #[inline(always)]
    fn get(self) -> f32 {
        BF16::get(self)
    }
}

/// Float weights of any storage against f32.
#[derive(Clone, Copy)]
pub(in crate::arch::x86) struct FloatRows(pub Avx2);

/// Vectors of a step, and independent accumulators with less than four tokens.
const UNROLL: usize = 2;

impl<W: LoadF32> RowDot<W, f32> for FloatRows {
    #[inline(always)]
    fn dot<const R: usize, const T: usize>(&self, w: [&[W]; R], x: [&[f32]; T]) -> [[f32; T]; R] {
        let isa = self.0;
        let mut sums = [[[avx2!(isa, _mm256_setzero_ps()); UNROLL]; T]; R];
        // With four tokens a step is long enough to prefetch the next rows instead.
        let ahead = if T < 4 { AHEAD } else { R * size_of_val(w[0]) };
        let rows = w.map(|w| w.as_chunks::<{ UNROLL * LANES }>());
        let inputs = x.map(|x| x.as_chunks::<{ UNROLL * LANES }>());
        let whole = rows.iter().map(|(chunks, _)| chunks.len());
        let whole = whole.chain(inputs.iter().map(|(chunks, _)| chunks.len())).min().unwrap_or(0);
        for i in 0..whole {
            // SAFETY: `i` is below `whole`, the length of the shortest of these slices.
            let w = rows.map(|(w, _)| unsafe { w.get_unchecked(i) });
            // SAFETY: as above.
            let x = inputs.map(|(x, _)| unsafe { x.get_unchecked(i) });
            w.iter().for_each(|w| prefetch(*w, ahead));
            for step in 0..UNROLL {
                // The weights of a step and one input at a time: what the registers hold.
                let mut loaded = [avx2!(isa, _mm256_setzero_ps()); R];
                for (loaded, w) in loaded.iter_mut().zip(&w) {
                    *loaded = W::load8(isa, &w.as_chunks().0[step]);
                }
                for (t, x) in x.iter().enumerate() {
                    let x = isa.load_f32x8(&x.as_chunks().0[step]);
                    for (w, sums) in loaded.iter().zip(&mut sums) {
                        // Four tokens are accumulators enough, and leave registers for three rows.
                        let sum = &mut sums[t][if T < 4 { step } else { 0 }];
                        *sum = avx2!(isa, _mm256_fmadd_ps(*w, x, *sum));
                    }
                }
            }
        }
        let mut totals = [[0.0; T]; R];
        for (((_, w), sums), totals) in rows.iter().zip(&sums).zip(&mut totals) {
            for (((_, x), [a, b]), total) in inputs.iter().zip(sums).zip(totals) {
                let sum = isa.horizontal_sum(avx2!(isa, _mm256_add_ps(*a, *b)));
                *total = sum + dot_rest(isa, w, x);
            }
        }
        totals
    }
}

/// The columns that do not fill a step.
#[inline(always)]
fn dot_rest<W: LoadF32>(isa: Avx2, w: &[W], x: &[f32]) -> f32 {
    let (w, w_rest) = w.as_chunks::<LANES>();
    let (x, x_rest) = x.as_chunks::<LANES>();
    let mut sum = avx2!(isa, _mm256_setzero_ps());
    for (w, x) in w.iter().zip(x) {
        sum = avx2!(isa, _mm256_fmadd_ps(W::load8(isa, w), isa.load_f32x8(x), sum));
    }
    let mut total = isa.horizontal_sum(sum);
    for (&w, &x) in w_rest.iter().zip(x_rest) {
        total += w.get() * x;
    }
    total
}
