//! Scalar matrix products.

use super::dot::{dot_float, dot_q4_0, dot_q4_k, dot_q5_k, dot_q6_k, dot_q8_0};
use super::requant::{quantize_groups, quantize_q8_0};
#[cfg(xielu_dsp)]
use crate::arm::dsp;
use crate::block::{BF16, F16, F32};
use crate::gemm::{Table, drive, drive_row_sum, drive_row_sum_q8_0};

pub(crate) const TABLE: Table = Table {
    f32: |g| drive(g, |w, x| dot_float(w, x, F32::get)),
    f16: |g| drive(g, |w, x| dot_float(w, x, F16::get)),
    bf16: |g| drive(g, |w, x| dot_float(w, x, BF16::get)),
    #[cfg(not(xielu_dsp))]
    q8_0: |g| drive(g, dot_q8_0),
    #[cfg(not(xielu_dsp))]
    q4_0: |g| drive(g, dot_q4_0),
    #[cfg(xielu_dsp)]
    q8_0: dsp::q8_0,
    #[cfg(xielu_dsp)]
    q4_0: dsp::q4_0,
    q4_k: |g| drive(g, dot_q4_k),
    q5_k: |g| drive(g, dot_q5_k),
    q6_k: |g| drive(g, dot_q6_k),
    row_sum_f32: |rows, weights, out| drive_row_sum(rows, weights, out, F32::get),
    row_sum_f16: |rows, weights, out| drive_row_sum(rows, weights, out, F16::get),
    row_sum_bf16: |rows, weights, out| drive_row_sum(rows, weights, out, BF16::get),
    row_sum_q8_0: drive_row_sum_q8_0,
    quantize_q8_0,
    quantize_groups,
};
