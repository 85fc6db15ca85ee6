//! Dot products of rows of float weights with input rows.

use super::Vec128;
use crate::block::{BF16, F16, F32};
use crate::gemm::RowDot;

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
        a.widen_f16(w.map(|w| w.0))
    }
    #[inline(always)]
    fn get(self) -> f32 {
        F16::get(self)
    }
}

impl FloatWeight for BF16 {
    #[inline(always)]
    fn load4<A: Vec128>(a: A, w: &[Self; 4]) -> A::F32 {
        a.widen_bf16(w.map(|w| w.0))
    }
    #[inline(always)]
    fn get(self) -> f32 {
        BF16::get(self)
    }
}

/// Float weights of any storage against f32.
#[derive(Clone, Copy)]
pub(crate) struct Float<A>(pub A);

impl<A: Vec128, W: FloatWeight> RowDot<W, f32> for Float<A> {
    #[inline(always)]
    fn dot<const R: usize, const T: usize>(&self, w: [&[W]; R], x: [&[f32]; T]) -> [[f32; T]; R] {
        let a = self.0;
        let mut sums = [[a.splat(0.0); T]; R];
        let rows = w.map(|w| w.as_chunks::<4>());
        let inputs = x.map(|x| x.as_chunks::<4>());
        let whole = rows.iter().map(|(chunks, _)| chunks.len());
        let whole = whole.chain(inputs.iter().map(|(chunks, _)| chunks.len())).min().unwrap_or(0);
        for i in 0..whole {
            // SAFETY: `whole` is the length of the shortest of these slices.
            let x = inputs.map(|(x, _)| a.load_f32(unsafe { x.get_unchecked(i) }));
            for ((w, _), sums) in rows.iter().zip(&mut sums) {
                // SAFETY: as above.
                let w = W::load4(a, unsafe { w.get_unchecked(i) });
                for (x, sum) in x.iter().zip(sums) {
                    *sum = a.mul_add(w, *x, *sum);
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
