//! GEMM of float weights: products with many tokens, written once over [`Simd`].
//!
//! As in [`gemm_quantized`](crate::generic::gemm_quantized), 32 weight rows are unpacked to a
//! panel, which is multiplied with every token. A vector holds rows, and a step takes one column:
//! nothing is ever summed across a vector.

use core::array;
use core::mem::MaybeUninit;
use core::ops::Range;

use crate::generic::matmul::Gemm;
use crate::generic::panel::{ROWS, Sums, TOKENS, load, store, write, zeroed};
use crate::generic::prefetch::prefetch;
use crate::generic::simd::{Simd, Vectors};

/// Columns of a panel: 16 KiB, half of a small first-level cache.
pub(crate) const DEPTH: usize = 128;
/// Rows and columns that are transposed at once.
pub(crate) const SQUARE: usize = 8;
/// Most tokens of a tile.
pub(crate) const MAX_TILE: usize = 16;

/// 32 rows of 128 columns; column `k` of row `r` is `columns[k][r]`.
#[repr(C, align(64))]
pub(crate) struct Panel {
    pub columns: [[f32; ROWS]; DEPTH],
}

impl Panel {
    pub const ZERO: Panel = Panel { columns: [[0.0; ROWS]; DEPTH] };
}

/// The part of a float panel product that instruction sets do differently.
pub(crate) trait FloatPanelIsa<W>: Vectors {
    /// `columns[k][r] = w[r][k]`, exactly.
    fn transpose(self, w: [&[W; SQUARE]; SQUARE], columns: [&mut [f32; SQUARE]; SQUARE]);
    /// One value, exactly.
    fn get(w: W) -> f32;
}

/// Every panel of `g.w` with every token, in tiles of `V` vectors and `T` tokens (at most 16):
/// as many as the registers hold. What is left for the last tile takes one of `H` if it fits.
#[inline(always)]
pub(crate) fn multiply_float_panels<I, W: Copy, const V: usize, const T: usize, const H: usize>(
    isa: I,
    mut g: Gemm<'_, W, f32>,
) where
    I: FloatPanelIsa<W>,
{
    let mut panel = Panel::ZERO;
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
                let cols = first_col..g.x_stride.min(first_col + DEPTH);
                pack(isa, &g, first_row, cols.clone(), &mut panel);
                for (i, tile) in sums.as_chunks_mut::<T>().0.iter_mut().enumerate() {
                    let token = first_token + i * T;
                    match tile.first_chunk_mut::<H>() {
                        Some(tile) if count - i * T <= H => {
                            let x = inputs::<W, H>(&g, token, &cols);
                            multiply::<_, V, H>(isa.simd(), &panel, x, tile.each_mut());
                        }
                        _ => {
                            let x = inputs::<W, T>(&g, token, &cols);
                            multiply::<_, V, T>(isa.simd(), &panel, x, tile.each_mut());
                        }
                    }
                }
            }
            write(&mut g, first_row, first_token, sums.get(..count).unwrap_or_default());
        }
    }
}

/// The columns `cols` of the rows from `first_row` on. In place of rows that do not exist comes
/// the last one: their sums are not used.
#[inline(always)]
fn pack<I: FloatPanelIsa<W>, W: Copy>(
    isa: I,
    g: &Gemm<'_, W, f32>,
    first_row: usize,
    cols: Range<usize>,
    panel: &mut Panel,
) {
    let last = g.out.rows().saturating_sub(1);
    for octet in 0..ROWS / SQUARE {
        let rows: [_; SQUARE] = array::from_fn(|r| {
            let first = (first_row + octet * SQUARE + r).min(last) * g.row_stride;
            prefetch(g.w, first + cols.end, DEPTH);
            let row = g.w.get(first + cols.start..first + cols.end).unwrap_or_default();
            row.as_chunks::<SQUARE>()
        });
        let whole = rows.iter().map(|(squares, _)| squares.len()).min().unwrap_or(0);
        let (columns, _) = panel.columns.as_chunks_mut::<SQUARE>();
        for (i, columns) in columns.iter_mut().enumerate().take(whole) {
            // SAFETY: `whole` is the length of the shortest of these slices.
            let w = rows.map(|(squares, _)| unsafe { squares.get_unchecked(i) });
            let columns = columns.each_mut();
            isa.transpose(w, columns.map(|column| &mut column.as_chunks_mut().0[octet]));
        }
        for (r, (_, rest)) in rows.iter().enumerate() {
            let columns = panel.columns.iter_mut().skip(whole * SQUARE);
            for (column, &w) in columns.zip(*rest) {
                column[octet * SQUARE + r] = I::get(w);
            }
        }
    }
}

/// The columns `cols` of `T` tokens from `token` on. In place of tokens that do not exist comes the
/// last one.
#[inline(always)]
fn inputs<'a, W, const T: usize>(
    g: &Gemm<'a, W, f32>,
    token: usize,
    cols: &Range<usize>,
) -> [&'a [f32]; T] {
    let last = g.out.tokens().saturating_sub(1);
    array::from_fn(|t| {
        let first = |token: usize| token.min(last) * g.x_stride;
        prefetch(g.x, first(token + t + T) + cols.start, DEPTH);
        g.x.get(first(token + t) + cols.start..first(token + t) + cols.end).unwrap_or_default()
    })
}

/// `sums[t][r] += panel[r] . x[t]`; the rows of `x` have one length.
#[inline(always)]
pub(crate) fn multiply<L: Simd, const V: usize, const T: usize>(
    l: L,
    panel: &Panel,
    x: [&[f32]; T],
    mut sums: [&mut Sums; T],
) {
    let depth = x.iter().map(|x| x.len()).min().unwrap_or(0).min(DEPTH);
    for first in (0..ROWS).step_by(V * L::COUNT) {
        let mut totals = [[l.splat(0.0); V]; T];
        for (totals, sums) in totals.iter_mut().zip(sums.iter()) {
            for (v, total) in totals.iter_mut().enumerate() {
                *total = load(l, sums, first + v * L::COUNT);
            }
        }
        for k in 0..depth {
            let column = &panel.columns[k];
            let mut w = [l.splat(0.0); V];
            for (v, w) in w.iter_mut().enumerate() {
                *w = load(l, column, first + v * L::COUNT);
            }
            for (totals, x) in totals.iter_mut().zip(x) {
                // SAFETY: `depth` is at most the length of the shortest of these slices.
                let x = l.splat(unsafe { *x.get_unchecked(k) });
                for (total, &w) in totals.iter_mut().zip(&w) {
                    *total = l.mul_add(w, x, *total);
                }
            }
        }
        for (totals, sums) in totals.iter().zip(&mut sums) {
            for (v, total) in totals.iter().enumerate() {
                store(l, *total, sums, first + v * L::COUNT);
            }
        }
    }
}
