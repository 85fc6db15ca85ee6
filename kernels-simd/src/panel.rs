//! Products of quantized weights with many tokens.
//!
//! 32 weight rows are unpacked to a panel, 256 columns at a time, and the panel meets every
//! token: a weight is unpacked once for up to [`TOKENS`] tokens. Inside a panel, four bytes of
//! each row lie side by side, so that a vector holds rows, a byte dot product takes four columns
//! of each, and nothing is ever summed across a vector.

use core::mem::MaybeUninit;

use crate::gemm::Gemm;
use crate::input::{GROUPS, INPUT_BLOCK, InputBlock};
use crate::pack::Pack;

/// Rows of a panel.
pub(crate) const ROWS: usize = 32;
/// Tokens whose sums are kept while a panel passes over the columns.
const TOKENS: usize = 256;
/// Sub-groups of 16 columns.
pub(crate) const HALVES: usize = INPUT_BLOCK / 16;

/// 32 rows of 256 columns.
#[repr(C, align(64))]
pub(crate) struct Panel {
    /// Bytes `4k .. 4k + 4` of row `r` are `quants[k][r]`.
    pub quants: [[[u8; 4]; ROWS]; INPUT_BLOCK / 4],
    /// The scale of each row's groups, of 32 columns or, in formats that have those, of 16.
    pub scales: [[f32; ROWS]; HALVES],
    /// What each row's groups of 32 subtract from every value, in formats that have it.
    pub mins: [[f32; ROWS]; GROUPS],
}

impl Panel {
    const ZERO: Panel = Panel {
        quants: [[[0; 4]; ROWS]; INPUT_BLOCK / 4],
        scales: [[0.0; ROWS]; HALVES],
        mins: [[0.0; ROWS]; GROUPS],
    };
}

/// Sums of one token and the rows of a panel.
pub(crate) type Sums = [f32; ROWS];

/// The panel kernel of an instruction set.
pub(crate) trait PanelIsa: Copy {
    /// Tokens that a full tile takes.
    const TILE: usize;

    /// `sums[t][r] += panel[r] . x[t]` for up to [`PanelIsa::TILE`] tokens.
    fn tile<P: Pack>(self, panel: &Panel, x: &[&InputBlock], sums: &mut [Sums]);
}

/// Every panel of `g.w` against every token.
#[inline(always)]
pub(crate) fn drive_panels<P: Pack, I: PanelIsa>(isa: I, mut g: Gemm<'_, P::Block, InputBlock>) {
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
                pack_panel::<P>(&g, first_row, chunk, &mut panel);
                all_tokens::<P, I>(isa, &g, &panel, first_token, chunk, sums);
            }
            write(&mut g, first_row, first_token, sums);
        }
    }
}

#[inline(always)]
fn zeroed(memory: &mut [MaybeUninit<Sums>]) -> &mut [Sums] {
    for sums in memory.iter_mut() {
        sums.write([0.0; ROWS]);
    }
    // SAFETY: every element was written just now, and `MaybeUninit<T>` has the layout of `T`.
    unsafe { &mut *(core::ptr::from_mut(memory) as *mut [Sums]) }
}

/// Columns `256 * chunk ..` of the rows from `first_row` on; rows and columns that do not exist
/// are zero.
#[inline(always)]
fn pack_panel<P: Pack>(
    g: &Gemm<'_, P::Block, InputBlock>,
    first_row: usize,
    chunk: usize,
    panel: &mut Panel,
) {
    for r in 0..ROWS {
        let row = first_row + r;
        let first = row * g.row_stride + chunk * P::CHUNK;
        let end = row * g.row_stride + g.row_blocks.min((chunk + 1) * P::CHUNK);
        let blocks = if row < g.out.rows() { g.w.get(first..end) } else { None };
        P::pack(blocks.unwrap_or_default(), panel, r);
    }
}

#[inline(always)]
fn all_tokens<P: Pack, I: PanelIsa>(
    isa: I,
    g: &Gemm<'_, P::Block, InputBlock>,
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
            isa.tile::<P>(panel, x, tile);
        }
    }
}

/// Takes sums to where they belong.
#[inline(always)]
fn write<W>(g: &mut Gemm<'_, W, InputBlock>, first_row: usize, first_token: usize, sums: &[Sums]) {
    for (t, sums) in sums.iter().enumerate() {
        let Some(out) = g.out.token(first_token + t) else { return };
        let rows = out.iter_mut().skip(first_row).zip(sums);
        if g.accumulate {
            rows.for_each(|(out, sum)| *out += sum);
        } else {
            rows.for_each(|(out, sum)| *out = *sum);
        }
    }
}
