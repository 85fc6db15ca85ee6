//! A panel, the unpacked tile of 32 weight rows that GEMM multiplies with many tokens, and its
//! sums.

use core::mem::MaybeUninit;

use crate::block::{HALVES, INPUT_BLOCK};
use crate::generic::matmul::Gemm;
use crate::generic::simd::Simd;

/// Rows of a panel.
pub(crate) const ROWS: usize = 32;
/// Tokens whose sums are kept while a panel passes over the columns.
pub(crate) const TOKENS: usize = 256;

/// Four columns of each row of a panel.
pub(crate) type Quad = [[u8; 4]; ROWS];

/// 32 rows of 256 columns.
#[repr(C, align(64))]
pub(crate) struct Panel {
    /// Bytes `4k .. 4k + 4` of row `r` are `quants[k][r]`.
    pub quants: [Quad; INPUT_BLOCK / 4],
    /// The scale of each row's groups, of 32 columns or, in formats that have those, of 16.
    pub scales: [[f32; ROWS]; HALVES],
    /// The min of each row's groups, of as many columns, which is subtracted from every value.
    pub mins: [[f32; ROWS]; HALVES],
    /// Whether there are mins, where the type of quants does not say it.
    pub has_mins: bool,
}

impl Panel {
    pub const ZERO: Panel = Panel {
        quants: [[[0; 4]; ROWS]; INPUT_BLOCK / 4],
        scales: [[0.0; ROWS]; HALVES],
        mins: [[0.0; ROWS]; HALVES],
        has_mins: false,
    };
}

/// Sums of one token and the rows of a panel.
pub(crate) type Sums = [f32; ROWS];

/// The columns of `N` rows from `first` on.
#[inline(always)]
pub(crate) fn rows<const N: usize>(quad: &Quad, first: usize) -> &[[u8; 4]; N] {
    quad.get(first..first + N).and_then(|rows| rows.first_chunk()).unwrap_or(&[[0; 4]; N])
}

/// One vector of a panel's row, from `first` on.
#[inline(always)]
pub(crate) fn load<L: Simd>(l: L, row: &[f32; ROWS], first: usize) -> L::F32 {
    match row.get(first..first + L::COUNT) {
        // SAFETY: the slice holds `COUNT` values.
        Some(part) => unsafe { l.load_f32(part.as_ptr()) },
        None => l.splat(0.0),
    }
}

/// The reverse of [`load`].
#[inline(always)]
pub(crate) fn store<L: Simd>(l: L, v: L::F32, row: &mut [f32; ROWS], first: usize) {
    if let Some(part) = row.get_mut(first..first + L::COUNT) {
        // SAFETY: the slice holds `COUNT` values.
        unsafe { l.store_f32(v, part.as_mut_ptr()) };
    }
}

#[inline(always)]
pub(crate) fn zeroed(memory: &mut [MaybeUninit<Sums>]) -> &mut [Sums] {
    for sums in memory.iter_mut() {
        sums.write([0.0; ROWS]);
    }
    // SAFETY: every element was written just now, and `MaybeUninit<T>` has the layout of `T`.
    unsafe { &mut *(core::ptr::from_mut(memory) as *mut [Sums]) }
}

/// Writes sums to the output.
#[inline(always)]
pub(crate) fn write<W, X>(
    g: &mut Gemm<'_, W, X>,
    first_row: usize,
    first_token: usize,
    sums: &[Sums],
) {
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
