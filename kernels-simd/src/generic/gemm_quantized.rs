//! GEMM of quantized weights: products with many tokens.
//!
//! 32 weight rows are unpacked to a panel, 256 columns at a time ([`pack`](crate::generic::pack)),
//! and the panel is multiplied with every token: a weight is unpacked once for up to [`TOKENS`]
//! tokens. Inside a panel, four bytes of each row are side by side, so that a vector holds rows, a
//! byte dot product takes four columns of each, and nothing is ever summed across a vector.

use core::mem::MaybeUninit;

use bytemuck::Zeroable as _;

use crate::block::{GROUPS, HALVES, InputBlock, QK};
use crate::generic::matmul::Gemm;
use crate::generic::pack::{Pack, Quants, SCATTERED, Scatter};
use crate::generic::panel::{Panel, Quad, ROWS, Sums, TOKENS, load, store, write, zeroed};
use crate::generic::prefetch::prefetch;
use crate::generic::simd::{Simd, Vectors};

/// Integer accumulators `[token][vector of rows]`.
pub(crate) type Products<I, const V: usize, const T: usize> = [[I; V]; T];

/// The part of a panel product that instruction sets do differently.
pub(crate) trait PanelIsa: Vectors + Scatter {
    /// Tokens that a full tile takes.
    const TILE: usize;

    /// Prepares a panel of `P` for [`PanelIsa::products`].
    #[inline(always)]
    fn arrange<P: Quants>(self, _panel: &mut Panel) {}
    /// Calls [`tiles`] with as many vectors and tokens as the registers hold, then with fewer,
    /// until none of at most [`PanelIsa::TILE`] tokens are left.
    fn tile<P: Quants>(self, panel: &Panel, tokens: Tokens<'_>);
    /// `sum over k of w[k][r] . x[t][k]`, less `bias . sums[t]`, for `V` vectors of rows; `w` are
    /// quants of `P`.
    fn products<P: Quants, const V: usize, const T: usize, const Q: usize>(
        self,
        columns: Columns<'_, T, Q>,
    ) -> Products<<Self::Simd as Simd>::I32, V, T>;
}

/// The columns that one scale is for, `4 * Q` of them: of a panel and of `T` tokens.
#[derive(Clone, Copy)]
pub(crate) struct Columns<'a, const T: usize, const Q: usize> {
    /// Quants of weights.
    pub w: &'a [Quad; Q],
    /// The first row of a tile.
    pub first: usize,
    /// Quants of inputs.
    pub x: [&'a [[i8; 4]; Q]; T],
    /// Sums of 16 inputs each.
    #[cfg_attr(target_arch = "aarch64", allow(dead_code))] // panels have no bias there
    pub sums: [[i16; 2]; T],
    /// By how much the weights that belong to each of the sums are too large.
    #[cfg_attr(target_arch = "aarch64", allow(dead_code))]
    pub bias: [i16; 2],
}

/// `sums[t][r] += panel[r] . x[t]`, for columns `256 * chunk ..` of the tokens from `first_token`
/// on.
#[inline(always)]
fn add_panel<P: Quants, I: PanelIsa, W>(
    isa: I,
    g: &Gemm<'_, W, InputBlock>,
    panel: &Panel,
    first_token: usize,
    chunk: usize,
    sums: &mut [Sums],
) {
    let zero = InputBlock::ZERO;
    let mut x = [&zero; 8];
    for (i, tile) in sums.chunks_mut(I::TILE).enumerate() {
        for (t, x) in x.iter_mut().enumerate() {
            let token = first_token + i * I::TILE + t;
            *x = g.x.get(token * g.x_stride + chunk).unwrap_or(&zero);
        }
        if let Some(x) = x.get(..tile.len()) {
            isa.tile::<P>(panel, Tokens { x, sums: tile });
        }
    }
}

/// Inputs that a panel is still to be multiplied with, and their sums.
pub(crate) struct Tokens<'a> {
    x: &'a [&'a InputBlock],
    sums: &'a mut [Sums],
}

/// Tiles of `V` vectors of rows and `T` tokens, as long as so many tokens are left.
#[inline(always)]
pub(crate) fn tiles<A: PanelIsa, P: Quants, const V: usize, const T: usize>(
    isa: A,
    panel: &Panel,
    tokens: &mut Tokens<'_>,
) {
    while let Some((x, more)) = tokens.x.split_first_chunk::<T>() {
        let sums = core::mem::take(&mut tokens.sums);
        let Some((sums, rest)) = sums.split_first_chunk_mut::<T>() else { return };
        tile::<A, P, V, T>(isa, panel, *x, sums.each_mut());
        *tokens = Tokens { x: more, sums: rest };
    }
}

/// `sums[t][r] += panel[r] . x[t]` for `T` tokens, `V` vectors of rows at a time.
#[inline(always)]
fn tile<A: PanelIsa, P: Quants, const V: usize, const T: usize>(
    isa: A,
    panel: &Panel,
    x: [&InputBlock; T],
    mut sums: [&mut Sums; T],
) {
    let count = A::Simd::COUNT;
    for first in (0..ROWS).step_by(V * count) {
        let mut totals = [[isa.simd().splat(0.0); V]; T];
        for (totals, sums) in totals.iter_mut().zip(&sums) {
            for (v, total) in totals.iter_mut().enumerate() {
                *total = load(isa.simd(), sums, first + v * count);
            }
        }
        for g in 0..GROUPS {
            if P::HALVES {
                let [first_half, second_half] = [[P::BIAS, 0], [0, P::BIAS]];
                add_group::<A, P, V, T, 4>(isa, panel, first, x, 2 * g, first_half, &mut totals);
                add_group::<A, P, V, T, 4>(
                    isa,
                    panel,
                    first,
                    x,
                    2 * g + 1,
                    second_half,
                    &mut totals,
                );
            } else {
                add_group::<A, P, V, T, 8>(isa, panel, first, x, g, [P::BIAS; 2], &mut totals);
            }
        }
        for (totals, sums) in totals.iter().zip(&mut sums) {
            for (v, total) in totals.iter().enumerate() {
                store(isa.simd(), *total, sums, first + v * count);
            }
        }
    }
}

/// The columns of scale number `s`, `4 * Q` of them.
#[inline(always)]
fn add_group<A: PanelIsa, P: Quants, const V: usize, const T: usize, const Q: usize>(
    isa: A,
    panel: &Panel,
    first: usize,
    x: [&InputBlock; T],
    s: usize,
    bias: [i16; 2],
    totals: &mut [[<A::Simd as Simd>::F32; V]; T],
) {
    let g = s * 4 * Q / QK;
    let Some(w) = panel.quants.as_chunks::<Q>().0.get(s) else { return };
    let Some(scales) = panel.scales.get(s) else { return };
    let quads = x.map(|x| {
        let quads = x.qs.as_chunks::<4>().0.as_chunks::<Q>().0;
        quads.get(s).unwrap_or(&[[0; 4]; Q])
    });
    let sums = x.map(|x| x.half_sums(g));
    let q = isa.products::<P, V, T, Q>(Columns { w, first, x: quads, sums, bias });
    add_scaled(isa, q, scales, first, x, g, totals);
    if P::has_mins(panel) {
        subtract_mins::<A, P, V, T>(isa, &panel.mins, first, x, s, totals);
    }
}

/// Integer sums of group `g` times the scales of both sides.
#[inline(always)]
fn add_scaled<A: PanelIsa, const V: usize, const T: usize>(
    isa: A,
    q: Products<<A::Simd as Simd>::I32, V, T>,
    scales: &[f32; ROWS],
    first: usize,
    x: [&InputBlock; T],
    g: usize,
    totals: &mut [[<A::Simd as Simd>::F32; V]; T],
) {
    let l = isa.simd();
    for v in 0..V {
        let scales = load(l, scales, first + v * A::Simd::COUNT);
        for ((q, x), totals) in q.iter().zip(x).zip(totals.iter_mut()) {
            let scale = l.mul(scales, l.splat(x.d[g % GROUPS]));
            totals[v] = l.mul_add(l.to_f32(q[v]), scale, totals[v]);
        }
    }
}

/// Subtracts each row's min number `s` times the sum of its inputs.
#[inline(always)]
fn subtract_mins<A: PanelIsa, P: Quants, const V: usize, const T: usize>(
    isa: A,
    mins: &[[f32; ROWS]; HALVES],
    first: usize,
    x: [&InputBlock; T],
    s: usize,
    totals: &mut [[<A::Simd as Simd>::F32; V]; T],
) {
    let l = isa.simd();
    let g = if P::HALVES { s / 2 } else { s };
    for v in 0..V {
        let mins = load(l, &mins[s % HALVES], first + v * A::Simd::COUNT);
        for (x, totals) in x.iter().zip(totals.iter_mut()) {
            let [s0, s1] = x.half_sums(g);
            let inputs = match (P::HALVES, s % 2) {
                (false, _) => s0 + s1,
                (true, 0) => s0,
                (true, _) => s1,
            };
            let sum = -x.d[g % GROUPS] * f32::from(inputs);
            totals[v] = l.mul_add(mins, l.splat(sum), totals[v]);
        }
    }
}

/// Where panels come from.
pub(crate) trait Source<W> {
    /// Fills a panel with columns `256 * chunk ..` of the rows from `first_row` on; rows and columns
    /// that do not exist are zero.
    fn fill(
        &mut self,
        g: &Gemm<'_, W, InputBlock>,
        first_row: usize,
        chunk: usize,
        panel: &mut Panel,
    );
}

/// Tiles of a type: those of packed weights, or made on the fly in the memory of one.
struct Tiles<S, P: Pack>(S, P::Tile);

impl<S: Scatter, P: Pack> Source<P> for Tiles<S, P> {
    #[inline(always)]
    fn fill(
        &mut self,
        g: &Gemm<'_, P, InputBlock>,
        first_row: usize,
        chunk: usize,
        panel: &mut Panel,
    ) {
        fill::<S, P>(self.0, g, first_row, chunk, &mut self.1, panel);
    }
}

/// Panels of a type that has tiles.
#[inline(always)]
pub(crate) fn tiles_of<P: Pack>(s: impl Scatter) -> impl Source<P> {
    Tiles::<_, P>(s, P::Tile::zeroed())
}

/// GEMM: every panel of `g.w` with every token.
#[inline(always)]
pub(crate) fn multiply_panels<P: Pack, I: PanelIsa>(isa: I, g: Gemm<'_, P, InputBlock>) {
    multiply_panels_of::<P, P, I>(isa, g, tiles_of(isa));
}

/// [`multiply_panels`] with panels of `P` from any source.
#[inline(always)]
pub(crate) fn multiply_panels_of<P: Quants, W, I: PanelIsa>(
    isa: I,
    mut g: Gemm<'_, W, InputBlock>,
    mut source: impl Source<W>,
) {
    let mut panel = Panel::ZERO;
    // 32 KiB that only the tokens at hand initialise.
    let mut memory = [const { MaybeUninit::<Sums>::uninit() }; TOKENS];
    let (rows, tokens) = (g.out.rows(), g.out.tokens());
    for first_row in (0..rows).step_by(ROWS) {
        for first_token in (0..tokens).step_by(TOKENS) {
            let count = (tokens - first_token).min(TOKENS);
            let Some(memory) = memory.get_mut(..count) else { return };
            let sums = zeroed(memory);
            for chunk in 0..g.x_stride {
                source.fill(&g, first_row, chunk, &mut panel);
                isa.arrange::<P>(&mut panel);
                add_panel::<P, I, W>(isa, &g, &panel, first_token, chunk, sums);
            }
            write(&mut g, first_row, first_token, sums);
        }
    }
}

/// Columns `256 * chunk ..` of the rows from `first_row` on; rows and columns that do not exist
/// are zero. `tile` is memory for weights that are not packed.
#[inline(always)]
fn fill<S: Scatter, P: Pack>(
    s: S,
    g: &Gemm<'_, P, InputBlock>,
    first_row: usize,
    chunk: usize,
    tile: &mut P::Tile,
    panel: &mut Panel,
) {
    if g.packed {
        let first = first_row * g.row_stride + chunk * P::CHUNK * ROWS;
        let blocks = g.w.get(first..first + P::CHUNK * ROWS).unwrap_or_default();
        if let Ok([tile]) = bytemuck::try_cast_slice(blocks) {
            P::expand(tile, panel);
        }
        return;
    }
    for octet in (0..ROWS).step_by(SCATTERED) {
        let rows = core::array::from_fn(|r| {
            let row = first_row + octet + r;
            let first = row * g.row_stride + chunk * P::CHUNK;
            let end = row * g.row_stride + g.row_blocks.min((chunk + 1) * P::CHUNK);
            prefetch(g.w, end, P::CHUNK);
            let blocks = if row < g.out.rows() { g.w.get(first..end) } else { None };
            blocks.unwrap_or_default()
        });
        P::interleave(s, rows, tile, octet);
    }
    P::expand(tile, panel);
}
