//! Weighted sums of rows: how attention adds up its values.

use crate::block::{BlockQ8_0, QK};
use crate::generic::accumulate::add_product;
use crate::generic::kv_element::KvFloat;
use crate::generic::simd::Simd;

/// Sets of weights that share one reading of the rows.
const SETS: usize = 4;
/// Vectors of columns that stay in registers while the rows pass.
const UNROLL: usize = 4;

/// The loop of a [`RowSumFn`](crate::generic::matmul::RowSumFn) for one set of weights, a value at a
/// time.
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

/// The sets of weights and their sums one by one.
#[inline(always)]
pub(crate) fn each_set(
    weights: &[f32],
    sets: usize,
    out: &mut [f32],
    mut sum: impl FnMut(&[f32], &mut [f32]),
) {
    let (rows, columns) = (weights.len() / sets.max(1), out.len() / sets.max(1));
    let (mut weights, mut out) = (weights, out);
    while let Some((w, rest)) = weights.split_at_checked(rows).filter(|_| rows > 0) {
        let Some((o, rest_out)) = core::mem::take(&mut out).split_at_mut_checked(columns) else {
            return;
        };
        sum(w, o);
        (weights, out) = (rest, rest_out);
    }
}

/// A [`RowSumFn`](crate::generic::matmul::RowSumFn) of floats by vectors: four sets of weights and
/// four vectors of columns at a time.
#[inline(always)]
pub(crate) fn weighted_row_sums<L: Simd, W: KvFloat>(
    l: L,
    rows: &[W],
    weights: &[f32],
    sets: usize,
    out: &mut [f32],
) {
    if sets == 0 {
        return;
    }
    let sums = RowSums { rows, weights, count: weights.len() / sets, columns: out.len() / sets };
    if rows.len() < sums.count * sums.columns {
        return;
    }
    let mut set = 0;
    while set < sets {
        set += match sets - set {
            1 => sums.of_sets::<L, 1>(l, set, out),
            2 => sums.of_sets::<L, 2>(l, set, out),
            3 => sums.of_sets::<L, 3>(l, set, out),
            _ => sums.of_sets::<L, SETS>(l, set, out),
        };
    }
}

/// The operands of [`weighted_row_sums`].
struct RowSums<'a, W> {
    rows: &'a [W],
    weights: &'a [f32],
    /// Number of rows.
    count: usize,
    columns: usize,
}

impl<W: KvFloat> RowSums<'_, W> {
    /// `S` sets from `set` on; gives `S`.
    #[inline(always)]
    fn of_sets<L: Simd, const S: usize>(&self, l: L, set: usize, out: &mut [f32]) -> usize {
        let mut column = 0;
        while self.columns - column >= UNROLL * L::COUNT {
            self.of_columns::<L, S, UNROLL>(l, set, column, out);
            column += UNROLL * L::COUNT;
        }
        while self.columns - column >= L::COUNT {
            self.of_columns::<L, S, 1>(l, set, column, out);
            column += L::COUNT;
        }
        for set in set..set + S {
            let weights = self.weights.get(set * self.count..).unwrap_or_default();
            for column in column..self.columns {
                let Some(out) = out.get_mut(set * self.columns + column) else { continue };
                let row = self.rows.get(column..).unwrap_or_default().iter();
                for (w, weight) in row.step_by(self.columns).zip(weights).take(self.count) {
                    *out += weight * w.get();
                }
            }
        }
        S
    }

    /// `S` sets and `V` vectors of columns.
    #[inline(always)]
    fn of_columns<L: Simd, const S: usize, const V: usize>(
        &self,
        l: L,
        set: usize,
        column: usize,
        out: &mut [f32],
    ) {
        let mut sums = [[l.splat(0.0); V]; S];
        for row in 0..self.count {
            let first = row * self.columns + column;
            let mut values = [l.splat(0.0); V];
            for (v, value) in values.iter_mut().enumerate() {
                // SAFETY: `weighted_row_sums` checked that there are `count` rows of `columns`
                // values; the callers of this, that so many columns are left.
                *value = unsafe { W::load(l, self.rows.as_ptr().add(first + v * L::COUNT)) };
            }
            for (s, sums) in sums.iter_mut().enumerate() {
                // SAFETY: `weights` holds `count` weights for every set.
                let weight = unsafe { *self.weights.get_unchecked((set + s) * self.count + row) };
                let weight = l.splat(weight);
                for (sum, &value) in sums.iter_mut().zip(&values) {
                    *sum = l.mul_add(weight, value, *sum);
                }
            }
        }
        for (s, sums) in sums.into_iter().enumerate() {
            let first = (set + s) * self.columns + column;
            let Some(out) = out.get_mut(first..first + V * L::COUNT) else { return };
            for (v, sum) in sums.into_iter().enumerate() {
                // SAFETY: the slice holds `V` vectors.
                unsafe {
                    let out = out.as_mut_ptr().add(v * L::COUNT);
                    l.store_f32(l.add(l.load_f32(out), sum), out);
                }
            }
        }
    }
}
