//! Panels of the formats that are unpacked a row at a time.

use crate::block::{Format, InputBlock, Unpacked};
use crate::generic::gemm_quantized::{PanelIsa, Source, multiply_panels_of};
use crate::generic::matmul::Gemm;
use crate::generic::pack::{Mins, Quants, scatter, scatter_column};
use crate::generic::panel::{Panel, ROWS};
use crate::generic::prefetch::prefetch;

/// From this many tokens on, panels pay.
pub(crate) const UNPACKED_PANEL_TOKENS: usize = 6;

/// Quants of few bits; scales are for 16 columns if `HALVES`.
#[derive(Clone, Copy)]
pub(crate) struct Bits<const HALVES: bool>;

impl<const HALVES: bool> Quants for Bits<HALVES> {
    const BIAS: i16 = 16;
    const LARGEST: u8 = 47;
    const HALVES: bool = HALVES;
    const MINS: Mins = Mins::Some;
}

/// Quants of whole bytes.
#[derive(Clone, Copy)]
pub(crate) struct Bytes<const HALVES: bool>;

impl<const HALVES: bool> Quants for Bytes<HALVES> {
    const BIAS: i16 = 128;
    const LARGEST: u8 = 255;
    const HALVES: bool = HALVES;
}

/// Rows of a format.
struct Rows<'a> {
    format: &'a Format,
    unpacked: Unpacked,
}

impl Source<u8> for Rows<'_> {
    #[inline(always)]
    fn fill(
        &mut self,
        g: &Gemm<'_, u8, InputBlock>,
        first_row: usize,
        chunk: usize,
        panel: &mut Panel,
    ) {
        let Rows { format, unpacked } = self;
        for r in 0..ROWS {
            let start = (first_row + r) * g.row_stride;
            let row = match g.w.get(start..start + g.row_blocks) {
                Some(row) if first_row + r < g.out.rows() => row,
                _ => &[],
            };
            prefetch(g.w, start + (chunk + 1) * format.chunk, format.chunk);
            format.unpack(row, chunk, unpacked);
            scatter(&unpacked.quants, &mut panel.quants, r);
            if format.halves {
                scatter_column(&unpacked.scales, &mut panel.scales, r);
                scatter_column(&unpacked.mins, &mut panel.mins, r);
            } else {
                scatter_column(&every_second(&unpacked.scales), &mut panel.scales, r);
                scatter_column(&every_second(&unpacked.mins), &mut panel.mins, r);
            }
        }
        panel.has_mins = format.mins;
    }
}

/// Numbers of 32 columns.
#[inline(always)]
fn every_second(numbers: &[f32; 16]) -> [f32; 8] {
    let mut out = [0.0; 8];
    for (out, [number, _]) in out.iter_mut().zip(numbers.as_chunks().0) {
        *out = *number;
    }
    out
}

/// Panels of a format.
#[inline(always)]
pub(crate) fn rows_of(format: &Format) -> impl Source<u8> {
    Rows { format, unpacked: Unpacked::ZERO }
}

/// GEMM with panels of `P`, which are the quants of `format`.
#[inline(always)]
pub(crate) fn unpacked_panels<P: Quants, I: PanelIsa>(
    isa: I,
    g: Gemm<'_, u8, InputBlock>,
    format: &Format,
) {
    multiply_panels_of::<P, u8, I>(isa, g, rows_of(format));
}
