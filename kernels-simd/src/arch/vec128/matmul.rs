//! Matrix products of an instruction set that every CPU of its target has.

use super::{
    Float, FloatWeight, Looking, Q4_0, Q4_K, Q5_K, Q6_K, Q8_0, Quantize, Vec128, product_unpacked,
    quantize_groups, quantize_q8_0, transpose,
};
use crate::block::{
    BF16, DType, F16, F32, Format, InputBlock, Unpack, Unpacked, for_products, format_of,
};
use crate::generic::dispatch::{float_product, product};
use crate::generic::gemm_float::{FloatPanelIsa, SQUARE};
use crate::generic::gemm_quantized::PanelIsa;
use crate::generic::matmul::{Gemm, Table};
use crate::generic::row_sum::{each_set, weighted_row_sum_q8_0, weighted_row_sums};
use crate::generic::simd::Simd;

/// An instruction set that the target itself promises: its token needs no check.
pub(crate) trait Baseline:
    Simd + Vec128<F32 = <Self as Simd>::F32> + PanelIsa + Quantize
{
    const TOKEN: Self;
}

/// The table of such an instruction set. Panels of floats are multiplied in tiles of `V` vectors of
/// rows and `T` tokens, the last of `H` tokens if they are enough.
pub(crate) const fn table<A: Baseline, const V: usize, const T: usize, const H: usize>() -> Table {
    Table {
        f32: float::<A, F32, V, T, H>,
        f16: float::<A, F16, V, T, H>,
        bf16: float::<A, BF16, V, T, H>,
        q8_0: |g| product(A::TOKEN, Q8_0(A::TOKEN), g),
        q4_0: |g| product(A::TOKEN, Q4_0(A::TOKEN), g),
        q4_k: |g| product(A::TOKEN, Q4_K(A::TOKEN), g),
        q5_k: |g| product(A::TOKEN, Q5_K(A::TOKEN), g),
        q6_k: |g| product(A::TOKEN, Q6_K(A::TOKEN), g),
        unpacked: unpacked::<A>,
        row_sum_f32: |rows, weights, sets, out| {
            weighted_row_sums(A::TOKEN, rows, weights, sets, out);
        },
        row_sum_f16: |rows, weights, sets, out| {
            weighted_row_sums(A::TOKEN, rows, weights, sets, out);
        },
        row_sum_bf16: |rows, weights, sets, out| {
            weighted_row_sums(A::TOKEN, rows, weights, sets, out);
        },
        row_sum_q8_0: |rows, weights, sets, out| {
            each_set(weights, sets, out, |w, out| weighted_row_sum_q8_0(rows, w, out));
        },
        quantize_q8_0: |x, blocks| quantize_q8_0(A::TOKEN, x, blocks),
        quantize_groups: |x, blocks, first| quantize_groups(A::TOKEN, x, blocks, first),
    }
}

impl<A: Baseline, W: FloatWeight> FloatPanelIsa<W> for A {
    #[inline(always)]
    fn transpose(self, w: [&[W; SQUARE]; SQUARE], columns: [&mut [f32; SQUARE]; SQUARE]) {
        transpose(self, w, columns);
    }
    #[inline(always)]
    fn get(w: W) -> f32 {
        w.get()
    }
}

fn unpacked<A: Baseline>(g: Gemm<'_, u8, InputBlock>, dtype: DType) {
    if let Some(format) = format::<A>(dtype) {
        product_unpacked(A::TOKEN, g, dtype, &format);
    }
}

fn unpack<A: Baseline, B: Unpack>(blocks: &[u8], out: &mut Unpacked) {
    for_products::<B>(blocks, out, Looking(A::TOKEN));
}

/// The format of a type that is unpacked.
pub(crate) fn format<A: Baseline>(dtype: DType) -> Option<Format> {
    // SAFETY: every machine of the target runs its baseline.
    unsafe { format_of!(dtype, unpack of A) }
}

fn float<A: Baseline, W: FloatWeight, const V: usize, const T: usize, const H: usize>(
    g: Gemm<'_, W, f32>,
) {
    float_product::<_, _, _, V, T, H>(A::TOKEN, Float(A::TOKEN), g);
}
