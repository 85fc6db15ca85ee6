//! GEMV: products of weight rows with one token or a few, a row at a time. The loop that every
//! instruction set shares.

use crate::block::InputBlock;
use crate::built::SMALL;
use crate::generic::matmul::Gemm;

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
    /// The accumulator of one row and one token.
    type Sum: Copy;
    /// From this many tokens on, unpacking to panels pays.
    const PANEL_TOKENS: usize = PANEL_TOKENS;

    /// An accumulator of 0.
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
    /// Prefetches the weights some way behind this chunk.
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
        type Chunk = [$block; $crate::block::GROUPS];
        #[inline(always)]
        fn chunks(w: &[$block]) -> (&[Self::Chunk], &[$block]) {
            w.as_chunks()
        }
        #[inline(always)]
        fn padded(rest: &[$block]) -> Option<Self::Chunk> {
            if rest.is_empty() {
                return None;
            }
            let mut chunk = [$zero; $crate::block::GROUPS];
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

/// Every row with every token. Rows stay in the nearest cache while all tokens use them, so
/// weights are read from memory once. One token alone is multiplied with four rows at a time, a
/// quarter of the matrix apart: each input is loaded once for all, and four streams keep the memory
/// busier than one. Four tokens are multiplied with `R` neighbours: as many as the registers hold.
#[inline(always)]
pub(crate) fn gemv<W, X, const R: usize>(mut g: Gemm<'_, W, X>, dot: impl RowDot<W, X>) {
    let (rows, tokens) = (g.out.rows(), g.out.tokens());
    let quarter = if tokens == 1 { rows / 4 } else { 0 };
    for r in 0..quarter {
        multiply::<W, X, 4, 1>(&mut g, &dot, r, quarter, 0);
    }
    let whole = if R == 1 || tokens < 4 { 0 } else { rows / R * R };
    for r in (0..whole).step_by(R) {
        multiply_rows::<W, X, R>(&mut g, &dot, r);
    }
    for r in whole.max(4 * quarter)..rows {
        multiply_rows::<W, X, 1>(&mut g, &dot, r);
    }
}

/// `R` rows from `row` on with every token. A product's bits do not depend on `R`.
#[inline(always)]
fn multiply_rows<W, X, const R: usize>(
    g: &mut Gemm<'_, W, X>,
    dot: &impl RowDot<W, X>,
    row: usize,
) {
    let tokens = g.out.tokens();
    let mut t = 0;
    while t < tokens {
        t += match tokens - t {
            1 => multiply::<W, X, R, 1>(g, dot, row, 1, t),
            2 => multiply::<W, X, R, 2>(g, dot, row, 1, t),
            3 => multiply::<W, X, R, 3>(g, dot, row, 1, t),
            _ => multiply::<W, X, R, 4>(g, dot, row, 1, t),
        };
    }
}

/// [`gemv`] by a dot product of one row and one token.
#[inline(always)]
pub(crate) fn gemv_by<W, X>(g: Gemm<'_, W, X>, dot: impl Fn(&[W], &[X]) -> f32) {
    if SMALL { one_by_one(g, dot) } else { gemv::<_, _, 1>(g, dot) }
}

/// One row and one token at a time.
#[inline(always)]
fn one_by_one<W, X>(mut g: Gemm<'_, W, X>, dot: impl RowDot<W, X>) {
    for r in 0..g.out.rows() {
        for t in 0..g.out.tokens() {
            multiply::<W, X, 1, 1>(&mut g, &dot, r, 1, t);
        }
    }
}

/// `R` rows from `row` on, `step` apart, with `T` tokens from `token` on; gives `T`.
#[inline(always)]
fn multiply<W, X, const R: usize, const T: usize>(
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
