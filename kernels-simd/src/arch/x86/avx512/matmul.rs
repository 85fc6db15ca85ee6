//! AVX-512 matrix products: floats and many tokens; the rest are AVX2's.

use super::token::{Avx512, compile};
use crate::arch::x86::avx2;
use crate::arch::x86::avx2::gemv_float::{FloatRows, LoadF32};
use crate::block::{BF16, F16, F32};
use crate::generic::dispatch::float_product;
use crate::generic::kv_element::KvFloat;
use crate::generic::matmul::{Gemm, Table};
use crate::generic::row_sum::weighted_row_sums;

pub(crate) const TABLE: Table = Table {
    f32: float::<F32>,
    f16: float::<F16>,
    bf16: float::<BF16>,
    row_sum_f32: row_sum::<F32>,
    row_sum_f16: row_sum::<F16>,
    row_sum_bf16: row_sum::<BF16>,
    ..avx2::matmul::TABLE
};

compile! {
    pub(in crate::arch::x86) fn float<W: LoadF32>(g: Gemm<'_, W, f32>) {
        let isa = Avx512::new();
        float_product::<_, _, _, 2, 12, 6>(isa, FloatRows(isa.avx2()), g);
    }

    fn row_sum<W: KvFloat>(rows: &[W], weights: &[f32], sets: usize, out: &mut [f32]) {
        weighted_row_sums(Avx512::new(), rows, weights, sets, out);
    }
}
