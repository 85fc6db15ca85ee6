//! AVX2 matrix products.

use super::gemv_float::{FloatRows, LoadF32};
use super::gemv_quantized as rows;
use super::token::{Avx2, compile};
use crate::block::{BF16, BlockQ8_0, F16, F32, InputBlock};
use crate::generic::dispatch::{float_product, product};
use crate::generic::matmul::{Gemm, Table};
use crate::generic::pack::{Pack, PackQ4_0, PackQ4_K, PackQ5_K, PackQ6_K, PackQ8_0};
use crate::generic::row_sum::{drive_row_sum, drive_row_sum_q8_0};

pub(crate) const TABLE: Table = Table {
    f32: float::<F32>,
    f16: float::<F16>,
    bf16: float::<BF16>,
    q8_0,
    q4_0,
    q4_k,
    q5_k,
    q6_k,
    row_sum_f32: row_sum::<F32>,
    row_sum_f16: row_sum::<F16>,
    row_sum_bf16: row_sum::<BF16>,
    row_sum_q8_0,
    quantize_q8_0,
    quantize_groups,
};

compile! {
    fn float<W: LoadF32>(g: Gemm<'_, W, f32>) {
        let isa = Avx2::new();
        float_product::<_, _, _, 2, 6, 3>(isa, FloatRows(isa), g);
    }

    fn row_sum<W: LoadF32>(rows: &[W], weights: &[f32], out: &mut [f32]) {
        drive_row_sum(rows, weights, out, W::get);
    }

    fn row_sum_q8_0(rows: &[BlockQ8_0], weights: &[f32], out: &mut [f32]) {
        drive_row_sum_q8_0(rows, weights, out);
    }

    fn quantize_q8_0(x: &[f32], blocks: &mut [BlockQ8_0]) {
        Avx2::new().quantize_q8_0(x, blocks);
    }

    fn quantize_groups(x: &[f32], blocks: &mut [InputBlock], first: usize) {
        Avx2::new().quantize_groups(x, blocks, first);
    }
}

/// Defines a product kernel.
macro_rules! kernel {
    ($name:ident, $rows:path, $pack:ty) => {
        compile! {
            fn $name(g: Gemm<'_, <$pack as Pack>::Block, InputBlock>) {
                let isa = Avx2::new();
                product::<_, $pack, _>(isa, $rows(isa), g);
            }
        }
    };
}

kernel!(q8_0, rows::Q8_0, PackQ8_0);
kernel!(q4_0, rows::Q4_0, PackQ4_0);
kernel!(q4_k, rows::Q4_K, PackQ4_K);
kernel!(q5_k, rows::Q5_K, PackQ5_K);
kernel!(q6_k, rows::Q6_K, PackQ6_K);
