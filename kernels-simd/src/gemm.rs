//! Matrix products: the table every instruction set fills, and the loop they share.

use crate::block::{BF16, BlockQ4_0, BlockQ8_0, F16, F32};
use crate::input::InputBlock;
use crate::output::Output;

/// `out[t][r] (+)= dot(w[r], x[t])`: one product with its operands as typed blocks.
pub(crate) struct Gemm<'a, W, X> {
    /// Row `r` is `w[r * row_stride..][..row_blocks]`.
    pub w: &'a [W],
    pub row_stride: usize,
    pub row_blocks: usize,
    /// Token `t` is `x[t * x_stride..][..x_stride]`.
    pub x: &'a [X],
    pub x_stride: usize,
    pub out: Output<'a>,
    /// Add to what `out` holds instead of replacing it.
    pub accumulate: bool,
}

/// A product kernel. The caller vouches that this machine runs the kernel's instruction set.
pub(crate) type GemmFn<W, X> = unsafe fn(Gemm<'_, W, X>);

/// Adds `weights[r] * m[r]` over rows to `out`; `rows` holds `weights.len()` rows of `out.len()`.
/// The caller vouches that this machine runs the kernel's instruction set.
pub(crate) type RowSumFn<W> = unsafe fn(rows: &[W], weights: &[f32], out: &mut [f32]);

/// Matrix kernels of one instruction set.
pub(crate) struct Table {
    pub f32: GemmFn<F32, f32>,
    pub f16: GemmFn<F16, f32>,
    pub bf16: GemmFn<BF16, f32>,
    pub q8_0: GemmFn<BlockQ8_0, InputBlock>,
    pub q4_0: GemmFn<BlockQ4_0, InputBlock>,
    pub row_sum_f32: RowSumFn<F32>,
    pub row_sum_f16: RowSumFn<F16>,
    pub row_sum_bf16: RowSumFn<BF16>,
    /// `blocks.len() * 32` values to blocks; see [`crate::Kernels::quantize_q8_0`].
    pub quantize_q8_0: unsafe fn(x: &[f32], blocks: &mut [BlockQ8_0]),
    /// Whole groups of 32 values to the groups of blocks, from group `first` of the first block
    /// on; other groups keep what they hold. See [`crate::Kernels::quantize_input`].
    pub quantize_groups: unsafe fn(x: &[f32], blocks: &mut [InputBlock], first: usize),
}

/// Every row against every token. A row stays in the nearest cache while all tokens use it, so
/// weights cross memory once.
#[inline(always)]
pub(crate) fn drive<W, X>(mut g: Gemm<'_, W, X>, dot: impl Fn(&[W], &[X]) -> f32) {
    for r in 0..g.out.rows() {
        let start = r * g.row_stride;
        let Some(row) = g.w.get(start..start + g.row_blocks) else { return };
        for t in 0..g.out.tokens() {
            let start = t * g.x_stride;
            let Some(x) = g.x.get(start..start + g.x_stride) else { return };
            let sum = dot(row, x);
            if let Some(out) = g.out.element(t, r) {
                *out = if g.accumulate { *out + sum } else { sum };
            }
        }
    }
}

/// The loop of a [`RowSumFn`], left to the compiler to vectorise.
#[inline(always)]
pub(crate) fn drive_row_sum<W: Copy>(
    rows: &[W],
    weights: &[f32],
    out: &mut [f32],
    get: impl Fn(W) -> f32,
) {
    let mut rest = rows;
    for &weight in weights {
        let Some((row, after)) = rest.split_at_checked(out.len()) else { return };
        rest = after;
        for (o, &w) in out.iter_mut().zip(row) {
            *o += weight * get(w);
        }
    }
}
