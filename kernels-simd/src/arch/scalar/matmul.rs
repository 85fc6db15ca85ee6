//! Scalar matrix products.

use super::dot::{dot_float, dot_q4_0, dot_q4_k, dot_q5_k, dot_q6_k, dot_q8_0, dot_unpacked};
use super::quantize::{quantize_groups, quantize_q8_0};
#[cfg(all(xielu_dsp, not(xielu_vfma)))]
use crate::arch::arm::dsp as arm;
#[cfg(all(xielu_dsp, xielu_vfma, not(xielu_mve)))]
use crate::arch::arm::dsp_fpu as arm;
#[cfg(xielu_vfma)]
use crate::arch::arm::halves;
#[cfg(xielu_mve)]
use crate::arch::arm::mve as arm;
use crate::block::{
    BF16, DType, F16, F32, InputBlock, OneByOne, Unpack, Unpacked, for_products, format_of,
};
use crate::generic::gemv::gemv_by;
use crate::generic::matmul::{Gemm, Table};
use crate::generic::row_sum::{each_set, weighted_row_sum, weighted_row_sum_q8_0};

pub(crate) const TABLE: Table = Table {
    f32: |g| gemv_by(g, |w, x| dot_float(w, x, F32::get)),
    #[cfg(not(xielu_vfma))]
    f16: |g| gemv_by(g, |w, x| dot_float(w, x, F16::get)),
    #[cfg(xielu_vfma)]
    f16: |g| gemv_by(g, halves::dot),
    bf16: |g| gemv_by(g, |w, x| dot_float(w, x, BF16::get)),
    #[cfg(not(any(xielu_dsp, all(xielu_soft, target_arch = "riscv32", target_feature = "m"))))]
    q8_0: |g| gemv_by(g, dot_q8_0),
    #[cfg(all(xielu_soft, target_arch = "riscv32", target_feature = "m"))]
    q8_0: super::soft_rows::q8_0,
    #[cfg(not(xielu_dsp))]
    q4_0: |g| gemv_by(g, dot_q4_0),
    #[cfg(xielu_dsp)]
    q8_0: arm::q8_0,
    #[cfg(xielu_dsp)]
    q4_0: arm::q4_0,
    q4_k: |g| gemv_by(g, dot_q4_k),
    q5_k: |g| gemv_by(g, dot_q5_k),
    q6_k: |g| gemv_by(g, dot_q6_k),
    unpacked,
    row_sum_f32: |rows, weights, sets, out| {
        each_set(weights, sets, out, |w, out| weighted_row_sum(rows, w, out, F32::get));
    },
    row_sum_f16: |rows, weights, sets, out| {
        #[cfg(not(xielu_vfma))]
        each_set(weights, sets, out, |w, out| weighted_row_sum(rows, w, out, F16::get));
        #[cfg(xielu_vfma)]
        each_set(weights, sets, out, |w, out| halves::weighted_row_sum(rows, w, out));
    },
    row_sum_bf16: |rows, weights, sets, out| {
        each_set(weights, sets, out, |w, out| weighted_row_sum(rows, w, out, BF16::get));
    },
    row_sum_q8_0: |rows, weights, sets, out| {
        each_set(weights, sets, out, |w, out| weighted_row_sum_q8_0(rows, w, out));
    },
    quantize_q8_0,
    quantize_groups,
};

fn unpack<B: Unpack>(blocks: &[u8], out: &mut Unpacked) {
    for_products::<B>(blocks, out, OneByOne);
}

fn unpacked(g: Gemm<'_, u8, InputBlock>, dtype: DType) {
    // SAFETY: every machine runs `unpack`.
    if let Some(format) = unsafe { format_of!(dtype, unpack) } {
        gemv_by(g, |w: &[u8], x: &[InputBlock]| dot_unpacked(&format, w, x));
    }
}
