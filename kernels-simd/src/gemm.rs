//! Matrix products: the table every instruction set fills, and the loop they share.

use crate::SMALL;
use crate::block::{BF16, BlockQ4_0, BlockQ4_K, BlockQ5_K, BlockQ6_K, BlockQ8_0, F16, F32, QK};
use crate::float_panel::{FloatPanelIsa, drive_float_panels};
use crate::input::InputBlock;
use crate::output::Output;
use crate::pack::Pack;
use crate::panel::{PanelIsa, drive_panels};
use crate::scalar::dot::add_product;

/// `out[t][r] (+)= dot(w[r], x[t])`: one product with its operands as typed blocks.
pub(crate) struct Gemm<'a, W, X> {
    /// Row `r` is `w[r * row_stride..][..row_blocks]`, unless `packed`.
    pub w: &'a [W],
    /// Whether `w` holds tiles ([`crate::pack`]): those of 32 rows from `w[32 * p * row_stride]` on.
    pub packed: bool,
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

/// Adds `weights[r] * m[r]` over rows to `out`; `rows` holds `weights.len()` rows of `out.len()`
/// values.
/// The caller vouches that this machine runs the kernel's instruction set.
pub(crate) type RowSumFn<W> = unsafe fn(rows: &[W], weights: &[f32], out: &mut [f32]);

/// Matrix kernels of one instruction set.
pub(crate) struct Table {
    pub f32: GemmFn<F32, f32>,
    pub f16: GemmFn<F16, f32>,
    pub bf16: GemmFn<BF16, f32>,
    pub q8_0: GemmFn<BlockQ8_0, InputBlock>,
    pub q4_0: GemmFn<BlockQ4_0, InputBlock>,
    pub q4_k: GemmFn<BlockQ4_K, InputBlock>,
    pub q5_k: GemmFn<BlockQ5_K, InputBlock>,
    pub q6_k: GemmFn<BlockQ6_K, InputBlock>,
    pub row_sum_f32: RowSumFn<F32>,
    pub row_sum_f16: RowSumFn<F16>,
    pub row_sum_bf16: RowSumFn<BF16>,
    pub row_sum_q8_0: RowSumFn<BlockQ8_0>,
    /// `blocks.len() * 32` values to blocks; see [`crate::Kernels::quantize_q8_0`].
    pub quantize_q8_0: unsafe fn(x: &[f32], blocks: &mut [BlockQ8_0]),
    /// Whole groups of 32 values to the groups of blocks, from group `first` of the first block
    /// on; other groups keep what they hold. See [`crate::Kernels::quantize_input`].
    pub quantize_groups: unsafe fn(x: &[f32], blocks: &mut [InputBlock], first: usize),
}

/// The products of some weight rows with some tokens' inputs.
pub(crate) trait RowDot<W, X> {
    /// `out[r][t] = w[r] . x[t]`. Rows have one length.
    fn dot<const R: usize, const T: usize>(&self, w: [&[W]; R], x: [&[X]; T]) -> [[f32; T]; R];
}

impl<W, X, F: Fn(&[W], &[X]) -> f32> RowDot<W, X> for F {
    #[inline(always)]
    fn dot<const R: usize, const T: usize>(&self, w: [&[W]; R], x: [&[X]; T]) -> [[f32; T]; R] {
        w.map(|w| x.map(|x| self(w, x)))
    }
}

/// From this many tokens on, unpacking to panels pays on most instruction sets.
pub(crate) const PANEL_TOKENS: usize = 12;

/// A product in steps of 256 weights, for [`Chunked`].
pub(crate) trait ChunkDot {
    /// As the format stores it.
    type Block: Copy;
    /// 256 weights.
    type Chunk;
    /// The running sum of one row and one token.
    type Sum: Copy;
    /// From this many tokens on, unpacking to panels pays.
    const PANEL_TOKENS: usize = PANEL_TOKENS;

    /// The sum of nothing.
    fn zero(&self) -> Self::Sum;
    /// Whole chunks, and the blocks that do not fill one.
    fn chunks(w: &[Self::Block]) -> (&[Self::Chunk], &[Self::Block]);
    /// A last chunk filled up with zeros; `None` if there is nothing in it.
    fn padded(rest: &[Self::Block]) -> Option<Self::Chunk>;
    /// The sums of so many chunks as numbers, and the products of each row's blocks that do not
    /// fill a chunk.
    #[inline(always)]
    fn totals<const R: usize, const T: usize>(
        &self,
        mut sums: [[Self::Sum; T]; R],
        _chunks: usize,
        rest: [&[Self::Block]; R],
        x: [&InputBlock; T],
    ) -> [[f32; T]; R] {
        for (rest, sums) in rest.into_iter().zip(&mut sums) {
            self.add_rest(rest, x, sums);
        }
        sums.map(|sums| sums.map(|sum| self.total(sum)))
    }
    /// Adds the products of one row's blocks that do not fill a chunk.
    #[inline(always)]
    fn add_rest<const T: usize>(
        &self,
        rest: &[Self::Block],
        x: [&InputBlock; T],
        sums: &mut [Self::Sum; T],
    ) {
        if let Some(last) = Self::padded(rest) {
            self.add(&last, x, sums);
        }
    }
    /// Asks for the weights some way behind this chunk.
    fn prefetch(_chunk: &Self::Chunk) {}
    /// Adds the products of 256 weights and every token's inputs.
    fn add<const T: usize>(&self, w: &Self::Chunk, x: [&InputBlock; T], sums: &mut [Self::Sum; T]);
    /// The sum as a number.
    fn total(&self, sum: Self::Sum) -> f32;
}

/// The parts of [`ChunkDot`] that formats of 32 values share.
macro_rules! chunks_of_groups {
    ($block:ty, $zero:expr) => {
        type Block = $block;
        type Chunk = [$block; $crate::input::GROUPS];
        #[inline(always)]
        fn chunks(w: &[$block]) -> (&[Self::Chunk], &[$block]) {
            w.as_chunks()
        }
        #[inline(always)]
        fn padded(rest: &[$block]) -> Option<Self::Chunk> {
            if rest.is_empty() {
                return None;
            }
            let mut chunk = [$zero; $crate::input::GROUPS];
            chunk.iter_mut().zip(rest).for_each(|(slot, block)| *slot = *block);
            Some(chunk)
        }
    };
}
pub(crate) use chunks_of_groups;

/// The parts of [`ChunkDot`] that the formats of 256 values share.
macro_rules! chunks_of_256 {
    ($block:ty) => {
        type Block = $block;
        type Chunk = $block;
        #[inline(always)]
        fn chunks(w: &[$block]) -> (&[$block], &[$block]) {
            (w, &[])
        }
        #[inline(always)]
        fn padded(_rest: &[$block]) -> Option<$block> {
            None
        }
    };
}
pub(crate) use chunks_of_256;

/// Row products made of chunk products.
#[derive(Clone, Copy)]
pub(crate) struct Chunked<D>(pub D);

impl<D: ChunkDot> RowDot<D::Block, InputBlock> for Chunked<D> {
    #[inline(always)]
    fn dot<const R: usize, const T: usize>(
        &self,
        w: [&[D::Block]; R],
        x: [&[InputBlock]; T],
    ) -> [[f32; T]; R] {
        let Chunked(d) = self;
        let mut sums = [[d.zero(); T]; R];
        let rows = w.map(|w| D::chunks(w));
        let whole = rows.iter().map(|(chunks, _)| chunks.len());
        let whole = whole.chain(x.iter().map(|x| x.len())).min().unwrap_or(0);
        for i in 0..whole {
            // SAFETY: `whole` is the length of the shortest of these slices.
            let x = x.map(|x| unsafe { x.get_unchecked(i) });
            for r in 0..R {
                // SAFETY: as above; `r` counts the array's elements.
                let chunk = unsafe { rows.get_unchecked(r).0.get_unchecked(i) };
                D::prefetch(chunk);
                // SAFETY: `r` counts the array's elements.
                d.add(chunk, x, unsafe { sums.get_unchecked_mut(r) });
            }
        }
        let zero = InputBlock::ZERO;
        let x = x.map(|x| x.get(whole).unwrap_or(&zero));
        d.totals(sums, whole, rows.map(|(_, rest)| rest), x)
    }
}

/// A product of quantized weights, whichever way suits the number of tokens.
#[inline(always)]
pub(crate) fn product<D: ChunkDot, P: Pack<Block = D::Block>, A: PanelIsa>(
    isa: A,
    rows: D,
    g: Gemm<'_, D::Block, InputBlock>,
) {
    if g.out.tokens() < D::PANEL_TOKENS && !g.packed {
        drive_rows::<_, _, 1>(g, Chunked(rows));
    } else {
        drive_panels::<P, A>(isa, g);
    }
}

/// [`product`] of float weights; for `V`, `T` and `H` see [`drive_float_panels`].
#[inline(always)]
pub(crate) fn float_product<A, D, W: Copy, const V: usize, const T: usize, const H: usize>(
    isa: A,
    rows: D,
    g: Gemm<'_, W, f32>,
) where
    A: FloatPanelIsa<W>,
    D: RowDot<W, f32>,
{
    if g.out.tokens() < PANEL_TOKENS {
        drive_rows::<_, _, 3>(g, rows);
    } else {
        drive_float_panels::<A, W, V, T, H>(isa, g);
    }
}

/// Every row against every token. Rows stay in the nearest cache while all tokens use them, so
/// weights cross memory once. A lone token meets four rows at a time, a quarter of the matrix
/// apart: each input is loaded once for all, and four streams keep the memory busier than one.
/// Four tokens meet `R` neighbours: as many as the registers hold.
#[inline(always)]
pub(crate) fn drive_rows<W, X, const R: usize>(mut g: Gemm<'_, W, X>, dot: impl RowDot<W, X>) {
    let (rows, tokens) = (g.out.rows(), g.out.tokens());
    let quarter = if tokens == 1 { rows / 4 } else { 0 };
    for r in 0..quarter {
        some::<W, X, 4, 1>(&mut g, &dot, r, quarter, 0);
    }
    let whole = if R == 1 || tokens < 4 { 0 } else { rows / R * R };
    for r in (0..whole).step_by(R) {
        some_rows::<W, X, R>(&mut g, &dot, r);
    }
    for r in whole.max(4 * quarter)..rows {
        some_rows::<W, X, 1>(&mut g, &dot, r);
    }
}

/// `R` rows from `row` on against every token. What a product is does not depend on `R`.
#[inline(always)]
fn some_rows<W, X, const R: usize>(g: &mut Gemm<'_, W, X>, dot: &impl RowDot<W, X>, row: usize) {
    let tokens = g.out.tokens();
    let mut t = 0;
    while t < tokens {
        t += match tokens - t {
            1 => some::<W, X, R, 1>(g, dot, row, 1, t),
            2 => some::<W, X, R, 2>(g, dot, row, 1, t),
            3 => some::<W, X, R, 3>(g, dot, row, 1, t),
            _ => some::<W, X, R, 4>(g, dot, row, 1, t),
        };
    }
}

/// [`drive_rows`] for a product of one row and one token.
#[inline(always)]
pub(crate) fn drive<W, X>(g: Gemm<'_, W, X>, dot: impl Fn(&[W], &[X]) -> f32) {
    if SMALL { drive_each(g, dot) } else { drive_rows::<_, _, 1>(g, dot) }
}

/// One row and one token at a time.
#[inline(always)]
fn drive_each<W, X>(mut g: Gemm<'_, W, X>, dot: impl RowDot<W, X>) {
    for r in 0..g.out.rows() {
        for t in 0..g.out.tokens() {
            some::<W, X, 1, 1>(&mut g, &dot, r, 1, t);
        }
    }
}

/// `R` rows from `row` on, `step` apart, against `T` tokens from `token` on; gives `T`.
#[inline(always)]
fn some<W, X, const R: usize, const T: usize>(
    g: &mut Gemm<'_, W, X>,
    dot: &impl RowDot<W, X>,
    row: usize,
    step: usize,
    token: usize,
) -> usize {
    let w = core::array::from_fn(|r| {
        let start = (row + r * step) * g.row_stride;
        g.w.get(start..start + g.row_blocks).unwrap_or_default()
    });
    let x = core::array::from_fn(|t| {
        let start = (token + t) * g.x_stride;
        g.x.get(start..start + g.x_stride).unwrap_or_default()
    });
    for (r, sums) in dot.dot::<R, T>(w, x).into_iter().enumerate() {
        for (t, sum) in sums.into_iter().enumerate() {
            if let Some(out) = g.out.element(token + t, row + r * step) {
                *out = if g.accumulate { *out + sum } else { sum };
            }
        }
    }
    T
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
            *o = add_product(*o, weight, get(w));
        }
    }
}

/// [`drive_row_sum`] of Q8_0 rows, 32 columns at a time, so that sums stay in registers. Rows are
/// added in their order and nothing is fused: the same bits on every instruction set.
#[inline(always)]
pub(crate) fn drive_row_sum_q8_0(rows: &[BlockQ8_0], weights: &[f32], out: &mut [f32]) {
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
