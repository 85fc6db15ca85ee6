//! AVX2 matrix products.

use super::gemv_float::{FloatRows, LoadF32};
use super::gemv_quantized as rows;
use super::gemv_unpacked;
use super::token::{Avx2, compile};
use crate::block::{BF16, BlockQ8_0, DType, F16, F32, InputBlock};
use crate::generic::dispatch::{float_product, kernels, product};
use crate::generic::kv_element::KvFloat;
use crate::generic::matmul::{Gemm, Table};
use crate::generic::row_sum::{each_set, weighted_row_sum_q8_0, weighted_row_sums};

pub(crate) const TABLE: Table = Table {
    f32: float::<F32>,
    f16: float::<F16>,
    bf16: float::<BF16>,
    q8_0,
    q4_0,
    q4_k,
    q5_k,
    q6_k,
    unpacked,
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

    fn row_sum<W: KvFloat>(rows: &[W], weights: &[f32], sets: usize, out: &mut [f32]) {
        weighted_row_sums(Avx2::new(), rows, weights, sets, out);
    }

    fn row_sum_q8_0(rows: &[BlockQ8_0], weights: &[f32], sets: usize, out: &mut [f32]) {
        each_set(weights, sets, out, |w, out| weighted_row_sum_q8_0(rows, w, out));
    }

    fn quantize_q8_0(x: &[f32], blocks: &mut [BlockQ8_0]) {
        Avx2::new().quantize_q8_0(x, blocks);
    }

    fn quantize_groups(x: &[f32], blocks: &mut [InputBlock], first: usize) {
        Avx2::new().quantize_groups(x, blocks, first);
    }
}

kernels!(compile, |isa: Avx2, g|
    q8_0: BlockQ8_0 => product(isa, rows::Q8_0(isa), g),
    q4_0: BlockQ4_0 => product(isa, rows::Q4_0(isa), g),
    q4_k: BlockQ4_K => product(isa, rows::Q4_K(isa), g),
    q5_k: BlockQ5_K => product(isa, rows::Q5_K(isa), g),
    q6_k: BlockQ6_K => product(isa, rows::Q6_K(isa), g),
);

compile! {
    pub(in crate::arch::x86) fn unpacked(g: Gemm<'_, u8, InputBlock>, dtype: DType) {
        gemv_unpacked::product(Avx2::new(), g, dtype);
    }
}
