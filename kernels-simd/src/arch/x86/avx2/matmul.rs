//! AVX2 matrix products.

use core::arch::x86_64::*;

use super::activation::Avx2;
use super::dot::{ByteDot, FloatRows, LoadF32};
use super::quantize::{quantize_groups, quantize_q8_0};
use super::unpack;
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

impl ByteDot for Avx2 {
    /// Pairs of products fit 16 bits: 2 * 127 * 127, and 2 * 128 * 127 for the magnitude of -128.
    #[inline(always)]
    fn dot(self, acc: __m256i, unsigned: __m256i, signed: __m256i) -> __m256i {
        // SAFETY: an `Avx2` exists only where the machine runs the intrinsics' features.
        unsafe {
            let pairs = _mm256_maddubs_epi16(unsigned, signed);
            _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
        }
    }
}

/// # Safety
/// The machine runs AVX2, FMA and F16C.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn float<W: LoadF32>(g: Gemm<'_, W, f32>) {
    // SAFETY: the caller's promise.
    let isa = unsafe { Avx2::new() };
    float_product::<_, _, _, 2, 6, 3>(isa, FloatRows(isa), g);
}

/// Defines a product kernel of these features.
macro_rules! kernel {
    ($name:ident, $rows:path, $pack:ty) => {
        /// # Safety
        /// The machine runs AVX2, FMA and F16C.
        #[target_feature(enable = "avx2,fma,f16c")]
        unsafe fn $name(g: Gemm<'_, <$pack as Pack>::Block, InputBlock>) {
            // SAFETY: the caller's promise.
            let isa = unsafe { Avx2::new() };
            product::<_, $pack, _>(isa, $rows(isa), g);
        }
    };
}

kernel!(q8_0, unpack::Q8_0, PackQ8_0);
kernel!(q4_0, unpack::Q4_0, PackQ4_0);
kernel!(q4_k, unpack::Q4_K, PackQ4_K);
kernel!(q5_k, unpack::Q5_K, PackQ5_K);
kernel!(q6_k, unpack::Q6_K, PackQ6_K);

#[target_feature(enable = "avx2,fma,f16c")]
fn row_sum<W: LoadF32>(rows: &[W], weights: &[f32], out: &mut [f32]) {
    drive_row_sum(rows, weights, out, W::get);
}

#[target_feature(enable = "avx2,fma,f16c")]
fn row_sum_q8_0(rows: &[BlockQ8_0], weights: &[f32], out: &mut [f32]) {
    drive_row_sum_q8_0(rows, weights, out);
}
