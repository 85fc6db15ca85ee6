//! WebAssembly matrix products.

use super::activation::Simd128;
use crate::arch::vec128::{
    Float, FloatWeight, Q4_0, Q4_K, Q5_K, Q6_K, Q8_0, quantize_groups, quantize_q8_0, transpose,
};
use crate::block::{BF16, F16, F32};
use crate::generic::dispatch::{float_product, product};
use crate::generic::gemm_float::{FloatPanelIsa, SQUARE};
use crate::generic::matmul::{Gemm, Table};
use crate::generic::pack::{PackQ4_0, PackQ4_K, PackQ5_K, PackQ6_K, PackQ8_0};
use crate::generic::row_sum::{drive_row_sum, drive_row_sum_q8_0};

pub(crate) const TABLE: Table = Table {
    f32: float::<F32>,
    f16: float::<F16>,
    bf16: float::<BF16>,
    q8_0: |g| product::<_, PackQ8_0, _>(Simd128, Q8_0(Simd128), g),
    q4_0: |g| product::<_, PackQ4_0, _>(Simd128, Q4_0(Simd128), g),
    q4_k: |g| product::<_, PackQ4_K, _>(Simd128, Q4_K(Simd128), g),
    q5_k: |g| product::<_, PackQ5_K, _>(Simd128, Q5_K(Simd128), g),
    q6_k: |g| product::<_, PackQ6_K, _>(Simd128, Q6_K(Simd128), g),
    row_sum_f32: |rows, weights, out| drive_row_sum(rows, weights, out, F32::get),
    row_sum_f16: |rows, weights, out| drive_row_sum(rows, weights, out, F16::get),
    row_sum_bf16: |rows, weights, out| drive_row_sum(rows, weights, out, BF16::get),
    row_sum_q8_0: drive_row_sum_q8_0,
    quantize_q8_0: |x, blocks| quantize_q8_0(Simd128, x, blocks),
    quantize_groups: |x, blocks, first| quantize_groups(Simd128, x, blocks, first),
};

impl<W: FloatWeight> FloatPanelIsa<W> for Simd128 {
    type Simd = Simd128;
    #[inline(always)]
    fn simd(self) -> Simd128 {
        self
    }
    #[inline(always)]
    fn transpose(self, w: [&[W; SQUARE]; SQUARE], columns: [&mut [f32; SQUARE]; SQUARE]) {
        transpose(self, w, columns);
    }
    #[inline(always)]
    fn get(w: W) -> f32 {
        w.get()
    }
}

fn float<W: FloatWeight>(g: Gemm<'_, W, f32>) {
    float_product::<_, _, _, 2, 4, 2>(Simd128, Float(Simd128), g);
}
