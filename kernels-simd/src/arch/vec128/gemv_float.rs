//! Dot products of rows of float weights with input rows.

use super::Vec128;
use crate::block::{BF16, F16, F32};
use crate::generic::gemm_float::SQUARE;
use crate::generic::gemv::RowDot;
use crate::generic::simd::Simd;

/// A float storage type.
pub(crate) trait FloatWeight: Copy {
    /// The values, exactly.
    fn load4<A: Vec128>(a: A, w: &[Self; 4]) -> A::F32;
    /// The value, exactly.
    fn get(self) -> f32;
}

impl FloatWeight for F32 {
    #[inline(always)]
    fn load4<A: Vec128>(a: A, w: &[Self; 4]) -> A::F32 {
        // SAFETY: the array holds the 16 bytes that are read.
        unsafe { a.load_f32_from(w.as_ptr().cast()) }
    }
    #[inline(always)]
    fn get(self) -> f32 {
        F32::get(self)
    }
}

impl FloatWeight for F16 {
    #[inline(always)]
    fn load4<A: Vec128>(a: A, w: &[Self; 4]) -> A::F32 {
        // SAFETY: the array holds the 8 bytes that are read.
        unsafe { a.load_f16_from(w.as_ptr().cast()) }
    }
    #[inline(always)]
    fn get(self) -> f32 {
        F16::get(self)
    }
}

impl FloatWeight for BF16 {
    #[inline(always)]
    fn load4<A: Vec128>(a: A, w: &[Self; 4]) -> A::F32 {
        // SAFETY: the array holds the 8 bytes that are read.
        unsafe { a.load_bf16_from(w.as_ptr().cast()) }
    }
    #[inline(always)]
    fn get(self) -> f32 {
        BF16::get(self)
    }
}

/// Values that one step of the loop takes from each row.
const STEP: usize = 16;

/// Float weights of any storage against f32.
#[derive(Clone, Copy)]
pub(crate) struct Float<A>(pub A);

impl<A: Vec128, W: FloatWeight> RowDot<W, f32> for Float<A> {
    #[inline(always)]
    fn dot<const R: usize, const T: usize>(&self, w: [&[W]; R], x: [&[f32]; T]) -> [[f32; T]; R] {
        let a = self.0;
        let mut sums = [[a.splat(0.0); T]; R];
        let rows = w.map(|w| w.as_chunks::<STEP>());
        let inputs = x.map(|x| x.as_chunks::<STEP>());
        let whole = rows.iter().map(|(steps, _)| steps.len());
        let whole = whole.chain(inputs.iter().map(|(steps, _)| steps.len())).min().unwrap_or(0);
        for i in 0..whole {
            // SAFETY: `whole` is the length of the shortest of these slices.
            let x = inputs.map(|(x, _)| unsafe { x.get_unchecked(i) }.as_chunks::<4>().0);
            // SAFETY: as above.
            let w = rows.map(|(w, _)| unsafe { w.get_unchecked(i) }.as_chunks::<4>().0);
            for v in 0..STEP / 4 {
                let x = x.map(|x| a.load_f32(&x[v]));
                for (w, sums) in w.iter().zip(&mut sums) {
                    let w = W::load4(a, &w[v]);
                    for (x, sum) in x.iter().zip(sums) {
                        *sum = a.mul_add(w, *x, *sum);
                    }
                }
            }
        }
        let mut totals = sums.map(|sums| sums.map(|sum| a.sum(sum)));
        for ((_, w), totals) in rows.iter().zip(&mut totals) {
            for ((_, x), total) in inputs.iter().zip(totals) {
                *total += w.iter().zip(*x).map(|(w, x)| w.get() * x).sum::<f32>();
            }
        }
        totals
    }
}

/// [`crate::generic::gemm_float::FloatPanelIsa::transpose`], four rows and four columns at a time.
#[inline(always)]
pub(crate) fn transpose<A, W>(
    a: A,
    w: [&[W; SQUARE]; SQUARE],
    columns: [&mut [f32; SQUARE]; SQUARE],
) where
    A: Vec128 + Simd<F32 = <A as Vec128>::F32>,
    W: FloatWeight,
{
    let mut columns = columns;
    for (half, columns) in columns.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        for (quarter, rows) in w.as_chunks::<4>().0.iter().enumerate() {
            let [r0, r1, r2, r3] = rows.map(|row| W::load4(a, &row.as_chunks().0[half]));
            let ([even, even_high], [odd, odd_high]) = (a.zip(r0, r2), a.zip(r1, r3));
            let [low, high] = [a.zip(even, odd), a.zip(even_high, odd_high)];
            for (column, v) in columns.iter_mut().zip(low.into_iter().chain(high)) {
                let part = &mut column.as_chunks_mut::<4>().0[quarter];
                // SAFETY: the array holds the 4 values that are written.
                unsafe { a.store_f32(v, part.as_mut_ptr()) };
            }
        }
    }
}
