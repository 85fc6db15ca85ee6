//! Products of float weights with many tokens, written once over [`Lanes`].
//!
//! As in [`crate::panel`], 32 weight rows are unpacked to a panel that meets every token. A vector
//! holds rows, and a step takes one column: nothing is ever summed across a vector.

use core::mem::MaybeUninit;

use crate::gemm::Gemm;
use crate::lanes::Lanes;
use crate::panel::{ROWS, Sums, TOKENS, load, prefetch, store, write, zeroed};

/// Columns of a panel: 16 KiB, half of a small first-level cache.
const DEPTH: usize = 128;
/// Values that are widened at once.
pub(crate) const WIDE: usize = 16;
/// Most tokens of a tile.
const MAX_TILE: usize = 16;

/// 32 rows of 128 columns; column `k` of row `r` is `columns[k][r]`.
#[repr(C, align(64))]
struct Panel {
    columns: [[f32; ROWS]; DEPTH],
}

/// The part of a float panel product that instruction sets do differently.
pub(crate) trait FloatPanelIsa<W>: Copy {
    /// Its vectors.
    type Lanes: Lanes;
    /// The vectors.
    fn lanes(self) -> Self::Lanes;
    /// The values, exactly.
    fn widen(self, w: &[W; WIDE]) -> [f32; WIDE];
    /// One value, exactly.
    fn get(w: W) -> f32;
}

/// Every panel of `g.w` against every token, in tiles of `V` vectors and `T` tokens (at most 16):
/// as many as the registers hold.
#[inline(always)]
pub(crate) fn drive_float_panels<I, W: Copy, const V: usize, const T: usize>(
    isa: I,
    mut g: Gemm<'_, W, f32>,
) where
    I: FloatPanelIsa<W>,
{
    let mut panel = Panel { columns: [[0.0; ROWS]; DEPTH] };
    // 34 KiB that only the tokens at hand initialise.
    let mut memory = [const { MaybeUninit::<Sums>::uninit() }; TOKENS + MAX_TILE];
    let (rows, tokens) = (g.out.rows(), g.out.tokens());
    for first_row in (0..rows).step_by(ROWS) {
        for first_token in (0..tokens).step_by(TOKENS) {
            let count = (tokens - first_token).min(TOKENS);
            // Tiles are always full; what the last one has too much is not used.
            let Some(memory) = memory.get_mut(..count.next_multiple_of(T)) else { return };
            let sums = zeroed(memory);
            for first_col in (0..g.x_stride).step_by(DEPTH) {
                let depth = DEPTH.min(g.x_stride - first_col);
                pack(isa, &g, first_row, first_col..first_col + depth, &mut panel);
                for (i, tile) in sums.as_chunks_mut::<T>().0.iter_mut().enumerate() {
                    let mut x: [&[f32]; T] = [&[]; T];
                    for (t, x) in x.iter_mut().enumerate() {
                        let token = (first_token + i * T + t).min(tokens - 1);
                        let first = token * g.x_stride + first_col;
                        *x = g.x.get(first..first + depth).unwrap_or_default();
                    }
                    multiply::<_, V, T>(isa.lanes(), &panel, x, tile);
                }
            }
            write(&mut g, first_row, first_token, sums.get(..count).unwrap_or_default());
        }
    }
}

/// The columns `cols` of the rows from `first_row` on. Rows that do not exist keep what was there:
/// their sums are not used.
#[inline(always)]
fn pack<I: FloatPanelIsa<W>, W: Copy>(
    isa: I,
    g: &Gemm<'_, W, f32>,
    first_row: usize,
    cols: core::ops::Range<usize>,
    panel: &mut Panel,
) {
    for r in 0..ROWS {
        let first = (first_row + r) * g.row_stride;
        let w = g.w.get(first + cols.start..first + cols.end).unwrap_or_default();
        prefetch(g.w, first + cols.end, DEPTH);
        let (wide, rest) = w.as_chunks::<WIDE>();
        let mut columns = panel.columns.iter_mut();
        for w in wide {
            for (w, column) in isa.widen(w).iter().zip(&mut columns) {
                column[r] = *w;
            }
        }
        for (&w, column) in rest.iter().zip(&mut columns) {
            column[r] = I::get(w);
        }
    }
}

/// `sums[t][r] += panel[r] . x[t]`; the rows of `x` have one length.
#[inline(always)]
fn multiply<L: Lanes, const V: usize, const T: usize>(
    l: L,
    panel: &Panel,
    x: [&[f32]; T],
    sums: &mut [Sums; T],
) {
    let depth = x.iter().map(|x| x.len()).min().unwrap_or(0);
    for first in (0..ROWS).step_by(V * L::COUNT) {
        let mut totals = [[l.splat(0.0); V]; T];
        for (totals, sums) in totals.iter_mut().zip(sums.iter()) {
            for (v, total) in totals.iter_mut().enumerate() {
                *total = load(l, sums, first + v * L::COUNT);
            }
        }
        for (k, column) in panel.columns.iter().enumerate().take(depth) {
            let mut w = [l.splat(0.0); V];
            for (v, w) in w.iter_mut().enumerate() {
                *w = load(l, column, first + v * L::COUNT);
            }
            for (totals, x) in totals.iter_mut().zip(x) {
                // SAFETY: `depth` is the length of the shortest of these slices.
                let x = l.splat(unsafe { *x.get_unchecked(k) });
                for (total, &w) in totals.iter_mut().zip(&w) {
                    *total = l.mul_add(w, x, *total);
                }
            }
        }
        for (totals, sums) in totals.iter().zip(sums.iter_mut()) {
            for (v, total) in totals.iter().enumerate() {
                store(l, *total, sums, first + v * L::COUNT);
            }
        }
    }
}
