//! NEON matrix products.

use super::activation::Neon;
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
    q8_0: |g| product::<_, PackQ8_0, _>(Neon, Q8_0(Neon), g),
    q4_0: |g| product::<_, PackQ4_0, _>(Neon, Q4_0(Neon), g),
    q4_k: |g| product::<_, PackQ4_K, _>(Neon, Q4_K(Neon), g),
    q5_k: |g| product::<_, PackQ5_K, _>(Neon, Q5_K(Neon), g),
    q6_k: |g| product::<_, PackQ6_K, _>(Neon, Q6_K(Neon), g),
    row_sum_f32: |rows, weights, out| drive_row_sum(rows, weights, out, F32::get),
    row_sum_f16: |rows, weights, out| drive_row_sum(rows, weights, out, F16::get),
    row_sum_bf16: |rows, weights, out| drive_row_sum(rows, weights, out, BF16::get),
    row_sum_q8_0: drive_row_sum_q8_0,
    quantize_q8_0: |x, blocks| quantize_q8_0(Neon, x, blocks),
    quantize_groups: |x, blocks, first| quantize_groups(Neon, x, blocks, first),
};

impl<W: FloatWeight> FloatPanelIsa<W> for Neon {
    type Simd = Neon;
    #[inline(always)]
    fn simd(self) -> Neon {
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
    float_product::<_, _, _, 4, 6, 3>(Neon, Float(Neon), g);
}
