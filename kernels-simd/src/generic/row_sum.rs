//! Weighted sums of rows: how attention adds up its values.

use crate::block::{BlockQ8_0, QK};
use crate::generic::accumulate::add_product;

/// The loop of a [`RowSumFn`](crate::generic::matmul::RowSumFn), left to the compiler to vectorise.
#[inline(always)]
pub(crate) fn weighted_row_sum<W: Copy>(
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
            *o = add_product(*o, weight, get(w));
        }
    }
}

/// [`weighted_row_sum`] of Q8_0 rows, 32 columns at a time, so that sums stay in registers. Rows
/// are added in their order and nothing is fused: the same bits on every instruction set.
#[inline(always)]
pub(crate) fn weighted_row_sum_q8_0(rows: &[BlockQ8_0], weights: &[f32], out: &mut [f32]) {
    let groups = out.as_chunks_mut::<QK>().0;
    let row_blocks = groups.len();
    for (g, out) in groups.iter_mut().enumerate() {
        let mut sums = *out;
        let mut rest = rows.get(g..).unwrap_or_default();
        for &weight in weights {
            let Some(block) = rest.first() else { break };
            rest = rest.get(row_blocks..).unwrap_or_default();
            let scale = weight * block.d.get();
            for (sum, &q) in sums.iter_mut().zip(&block.qs) {
                *sum += scale * f32::from(q);
            }
        }
        *out = sums;
    }
}
