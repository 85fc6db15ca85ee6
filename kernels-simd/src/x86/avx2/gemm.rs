//! AVX2 matrix products.

use super::dot::{LoadF32, dot_float, dot_q4_0, dot_q8_0};
use super::requant::{quantize_groups, quantize_q8_0};
use crate::block::{BF16, BlockQ4_0, BlockQ8_0, F16, F32};
use crate::gemm::{Gemm, Table, drive, drive_row_sum};
use crate::input::InputBlock;

pub(crate) static TABLE: Table = Table {
    f32: float::<F32>,
    f16: float::<F16>,
    bf16: float::<BF16>,
    q8_0,
    q4_0,
    row_sum_f32: row_sum::<F32>,
    row_sum_f16: row_sum::<F16>,
    row_sum_bf16: row_sum::<BF16>,
    quantize_q8_0,
    quantize_groups,
};

#[target_feature(enable = "avx2,fma,f16c")]
fn float<W: LoadF32>(g: Gemm<'_, W, f32>) {
    drive(g, |w, x| dot_float(w, x));
}

#[target_feature(enable = "avx2,fma,f16c")]
fn q8_0(g: Gemm<'_, BlockQ8_0, InputBlock>) {
    drive(g, |w, x| dot_q8_0(w, x));
}

#[target_feature(enable = "avx2,fma,f16c")]
fn q4_0(g: Gemm<'_, BlockQ4_0, InputBlock>) {
    drive(g, |w, x| dot_q4_0(w, x));
}

#[target_feature(enable = "avx2,fma,f16c")]
fn row_sum<W: LoadF32>(rows: &[W], weights: &[f32], out: &mut [f32]) {
    drive_row_sum(rows, weights, out, W::get);
}
