//! Attention of many queries over one KV head, written once over [`Simd`].
//!
//! Tiles of queries meet blocks of positions: `scores = queries . keys` and `out += weights .
//! values` are both products with a panel, as in [`gemm_float`](crate::generic::gemm_float), and
//! between them is the online softmax. A block's keys and values are widened to f32 once for all
//! queries of a tile, those of every head that shares them too (grouped-query attention).

use core::array;
use core::num::NonZeroUsize;
use core::ops::Range;

use crate::block::{BF16, BlockQ8_0, F16, F32};
use crate::generic::gemm_float::{DEPTH, FloatPanelIsa, MAX_TILE, Panel, SQUARE, multiply};
use crate::generic::kv_element::KvElement;
use crate::generic::panel::{ROWS, Sums};
use crate::generic::simd::Vectors;
use crate::generic::softmax::{OnlineSoftmax, SoftmaxFn, softmax};
use crate::output::Output;

/// Queries of a tile: what shares one widening of keys and values.
const QUERIES: usize = 128;
/// Panels of a block.
const PANELS: usize = 2;
/// Positions of a block.
const POSITIONS: usize = PANELS * ROWS;

/// `out[t][g] = softmax(scale * keys . q[t][g]) . values` for every token `t` and every head `g`
/// of a group that shares its keys and values.
pub(crate) struct Attend<'a, W> {
    /// Row `p` is `keys[p * row_blocks..][..row_blocks]`.
    pub keys: &'a [W],
    pub values: &'a [W],
    pub positions: usize,
    pub head_dim: usize,
    pub row_blocks: usize,
    /// Head `g` of token `t` is `queries[t * query_stride + g * head_dim..][..head_dim]`.
    pub queries: &'a [f32],
    pub query_stride: usize,
    pub group: NonZeroUsize,
    /// Positions that token 0 sees; every token sees one more than the one before it.
    pub visible: usize,
    pub scale: f32,
    /// Token `t` is the heads of the group.
    pub out: Output<'a>,
}

impl<W> Attend<'_, W> {
    /// Queries are counted token by token, the heads of a group side by side.
    #[inline(always)]
    fn query(&self, i: usize) -> &[f32] {
        let start = i / self.group * self.query_stride + i % self.group * self.head_dim;
        self.queries.get(start..start + self.head_dim).unwrap_or_default()
    }

    #[inline(always)]
    fn out(&mut self, i: usize) -> &mut [f32] {
        let start = i % self.group * self.head_dim;
        let token = self.out.token(i / self.group).unwrap_or_default();
        token.get_mut(start..start + self.head_dim).unwrap_or_default()
    }

    /// Positions that a query sees.
    #[inline(always)]
    fn seen_by(&self, i: usize) -> usize {
        (self.visible + i / self.group).min(self.positions)
    }

    /// The first query that sees a position.
    #[inline(always)]
    fn first_to_see(&self, position: usize) -> usize {
        (position + 1).saturating_sub(self.visible) * self.group.get()
    }
}

/// # Safety
/// This machine runs the kernel's instruction set.
pub(crate) type AttendFn<W> = unsafe fn(Attend<'_, W>);

/// Kernels of one instruction set.
pub(crate) struct Table {
    pub f32: AttendFn<F32>,
    pub f16: AttendFn<F16>,
    pub bf16: AttendFn<BF16>,
    pub q8_0: AttendFn<BlockQ8_0>,
    pub softmax: SoftmaxFn,
}

/// `TABLE`, the kernels of the instruction set whose token is `$token`. `$compile` compiles them
/// with its features, where the target does not have them in any case. For `$v`, `$t` and `$h` see
/// [`multiply_float_panels`](crate::generic::gemm_float::multiply_float_panels).
macro_rules! table {
    ($token:expr, $compile:path, $v:literal, $t:literal, $h:literal) => {
        use $crate::block::{BF16, BlockQ8_0, F16, F32};
        use $crate::generic::attention as kernels;
        use $crate::generic::kv_element::KvElement;
        use $crate::generic::softmax::OnlineSoftmax;

        pub(crate) const TABLE: kernels::Table = kernels::Table {
            f32: attend::<F32>,
            f16: attend::<F16>,
            bf16: attend::<BF16>,
            q8_0: attend::<BlockQ8_0>,
            softmax,
        };

        $compile! {
            fn attend<W: KvElement>(a: kernels::Attend<'_, W>) {
                kernels::attend::<_, W, $v, $t, $h>($token, a);
            }

            fn softmax(state: &mut OnlineSoftmax, scores: &mut [f32], scale: f32) -> f32 {
                $crate::generic::softmax::softmax($token, state, scores, scale)
            }
        }
    };
}
pub(crate) use table;

/// Working memory of a tile.
struct Tile {
    panel: Panel,
    /// Scores, then weights, of the block at hand. What a last tile of the product has too much is
    /// not used.
    scores: [[Sums; PANELS]; QUERIES + MAX_TILE],
    softmax: [OnlineSoftmax; QUERIES],
}

/// All queries, in tiles of `V` vectors and `T` of them, as the float panels' product.
#[inline(always)]
pub(crate) fn attend<I, W, const V: usize, const T: usize, const H: usize>(
    isa: I,
    mut a: Attend<'_, W>,
) where
    I: FloatPanelIsa<F32>,
    W: KvElement,
{
    let mut tile = Tile {
        panel: Panel::ZERO,
        scores: [[[0.0; ROWS]; PANELS]; QUERIES + MAX_TILE],
        softmax: [OnlineSoftmax::START; QUERIES],
    };
    let queries = a.out.tokens() * a.group.get();
    for first in (0..queries).step_by(QUERIES) {
        let these = first..queries.min(first + QUERIES);
        tile.softmax = [OnlineSoftmax::START; QUERIES];
        these.clone().for_each(|i| a.out(i).fill(0.0));
        for start in (0..a.seen_by(these.end - 1)).step_by(POSITIONS) {
            let block = start..a.seen_by(these.end - 1).min(start + POSITIONS);
            let these = a.first_to_see(start).max(first)..these.end;
            score::<I, W, V, T, H>(isa, &a, &mut tile, first, &these, &block);
            for i in these.clone() {
                weigh(isa, &mut a, &mut tile, first, i, &block);
            }
            add_values::<I, W, V, T, H>(isa, &mut a, &mut tile, first, &these, &block);
        }
        for (i, softmax) in these.zip(&tile.softmax) {
            let inverse = 1.0 / softmax.sum;
            a.out(i).iter_mut().for_each(|o| *o *= inverse);
        }
    }
}

/// `scores[i] = keys . q[i]` over a block, where `i` sees it; `first` is the tile's first query.
#[inline(always)]
fn score<I, W, const V: usize, const T: usize, const H: usize>(
    isa: I,
    a: &Attend<'_, W>,
    tile: &mut Tile,
    first: usize,
    these: &Range<usize>,
    block: &Range<usize>,
) where
    I: FloatPanelIsa<F32>,
    W: KvElement,
{
    for (p, start) in block.clone().step_by(ROWS).enumerate() {
        let these = a.first_to_see(start).max(these.start)..these.end;
        let scores = tile.scores.get_mut(these.start - first..).unwrap_or_default();
        scores.iter_mut().for_each(|row| *panel_of(row, p) = [0.0; ROWS]);
        for column in (0..a.head_dim).step_by(DEPTH) {
            let columns = column..a.head_dim.min(column + DEPTH);
            pack_keys(isa, a, start..block.end, &columns, &mut tile.panel);
            for (n, i) in these.clone().step_by(T).enumerate() {
                let Some(scores) = scores.get_mut(n * T..) else { return };
                // In place of queries that do not exist comes the last one.
                let query = |i: usize| {
                    a.query(i.min(these.end - 1)).get(columns.clone()).unwrap_or_default()
                };
                if these.end - i <= H {
                    let Some(scores) = scores.first_chunk_mut::<H>() else { return };
                    let x: [_; H] = array::from_fn(|t| query(i + t));
                    let scores = scores.each_mut().map(|row| panel_of(row, p));
                    multiply::<_, V, H>(isa.simd(), &tile.panel, x, scores);
                } else {
                    let Some(scores) = scores.first_chunk_mut::<T>() else { return };
                    let x: [_; T] = array::from_fn(|t| query(i + t));
                    let scores = scores.each_mut().map(|row| panel_of(row, p));
                    multiply::<_, V, T>(isa.simd(), &tile.panel, x, scores);
                }
            }
        }
    }
}

/// The scores of panel `p` (modulo the panels of a block).
#[inline(always)]
const fn panel_of(row: &mut [Sums; PANELS], p: usize) -> &mut Sums {
    &mut row[p % PANELS]
}

/// The keys of 32 positions, transposed. In place of positions behind the last comes the last one:
/// no query sees them.
#[inline(always)]
fn pack_keys<I: FloatPanelIsa<F32>, W: KvElement>(
    isa: I,
    a: &Attend<'_, W>,
    positions: Range<usize>,
    columns: &Range<usize>,
    panel: &mut Panel,
) {
    let mut rows = [[0.0; DEPTH]; SQUARE];
    let depth = columns.len();
    for octet in 0..ROWS / SQUARE {
        for (r, row) in rows.iter_mut().enumerate() {
            let position = (positions.start + octet * SQUARE + r).min(positions.end - 1);
            widen(isa, a.keys, position * a.row_blocks, columns, row);
        }
        let squares = panel.columns.as_chunks_mut::<SQUARE>().0;
        for (i, square) in squares.iter_mut().enumerate().take(depth.div_ceil(SQUARE)) {
            // Past the depth is what an earlier octet had; nobody reads it.
            let rows = rows.each_ref().map(|row| {
                let square = &row.as_chunks::<SQUARE>().0[i % (DEPTH / SQUARE)];
                bytemuck::cast_ref::<[f32; SQUARE], [F32; SQUARE]>(square)
            });
            let columns = square.each_mut();
            isa.transpose(rows, columns.map(|column| &mut column.as_chunks_mut().0[octet]));
        }
    }
}

/// Some columns of the row that begins at a block.
#[inline(always)]
fn widen<I: Vectors, W: KvElement>(
    isa: I,
    rows: &[W],
    row: usize,
    columns: &Range<usize>,
    out: &mut [f32],
) {
    let blocks = row + columns.start / W::LEN..row + columns.end / W::LEN;
    W::widen(isa.simd(), rows.get(blocks).unwrap_or_default(), out);
}

/// Makes the scores of a query weights, those that it does not see 0, and rescales what it has
/// summed.
#[inline(always)]
fn weigh<I: Vectors, W>(
    isa: I,
    a: &mut Attend<'_, W>,
    tile: &mut Tile,
    first: usize,
    i: usize,
    block: &Range<usize>,
) {
    let seen = a.seen_by(i).min(block.end) - block.start;
    let Some(scores) = tile.scores.get_mut(i - first) else { return };
    let Some(state) = tile.softmax.get_mut(i - first) else { return };
    let scores = scores.as_flattened_mut();
    scores.iter_mut().skip(seen).for_each(|s| *s = f32::NEG_INFINITY);
    let factor = softmax(isa.simd(), state, scores, a.scale);
    if factor != 1.0 {
        a.out(i).iter_mut().for_each(|o| *o *= factor);
    }
}

/// `out[i] += weights[i] . values` over a block.
#[inline(always)]
fn add_values<I, W, const V: usize, const T: usize, const H: usize>(
    isa: I,
    a: &mut Attend<'_, W>,
    tile: &mut Tile,
    first: usize,
    these: &Range<usize>,
    block: &Range<usize>,
) where
    I: Vectors,
    W: KvElement,
{
    for column in (0..a.head_dim).step_by(ROWS) {
        let columns = column..a.head_dim.min(column + ROWS);
        for (position, values) in block.clone().zip(&mut tile.panel.columns) {
            widen(isa, a.values, position * a.row_blocks, &columns, values);
        }
        for i in these.clone().step_by(T) {
            if these.end - i <= H {
                add_tile::<I, W, V, H>(isa, a, tile, first, i..these.end, block.len(), &columns);
            } else {
                let queries = i..these.end.min(i + T);
                add_tile::<I, W, V, T>(isa, a, tile, first, queries, block.len(), &columns);
            }
        }
    }
}

/// [`add_values`] of at most `T` queries and 32 columns, which are in the panel.
#[inline(always)]
fn add_tile<I: Vectors, W, const V: usize, const T: usize>(
    isa: I,
    a: &mut Attend<'_, W>,
    tile: &Tile,
    first: usize,
    these: Range<usize>,
    positions: usize,
    columns: &Range<usize>,
) {
    let mut sums = [[0.0; ROWS]; T];
    for (i, sums) in these.clone().zip(&mut sums) {
        let out = a.out(i).get(columns.clone()).unwrap_or_default();
        sums.iter_mut().zip(out).for_each(|(sum, out)| *sum = *out);
    }
    let x: [_; T] = array::from_fn(|t| {
        let weights = tile.scores.get(these.start - first + t).map(|row| row.as_flattened());
        weights.and_then(|weights| weights.get(..positions)).unwrap_or_default()
    });
    multiply::<_, V, T>(isa.simd(), &tile.panel, x, sums.each_mut());
    for (i, sums) in these.zip(&sums) {
        let out = a.out(i).get_mut(columns.clone()).unwrap_or_default();
        out.iter_mut().zip(sums).for_each(|(out, sum)| *out = *sum);
    }
}
