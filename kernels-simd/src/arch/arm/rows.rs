//! The loop over rows that the kernels of this folder share.

use crate::block::{GROUPS, InputBlock};
use crate::generic::matmul::Gemm;

/// `out[r] = w[r] . x` of `R` rows: so many blocks (at least one), and as many groups of inputs.
///
/// # Safety
/// The rows hold that many blocks, `x` that many groups of 32 inputs.
pub(super) type Dots<B, const R: usize> = unsafe extern "C" fn(
    w: &[*const B; R],
    x: *const InputBlock,
    groups: usize,
    out: &mut [f32; R],
);

/// Every row against every token, `R` rows at a time. What is left over is computed with the last
/// row repeated.
///
/// The same numbers as the plain kernels': exact integer sums per block, scaled and added in f32 in
/// the order of the blocks.
#[inline(always)]
pub(super) fn gemv<B, const R: usize>(mut g: Gemm<'_, B, InputBlock>, dots: Dots<B, R>) {
    let groups = g.row_blocks.min(g.x_stride * GROUPS);
    let last = g.out.rows().saturating_sub(1);
    let fits =
        g.w.len() >= last * g.row_stride + g.row_blocks && g.x.len() >= g.out.tokens() * g.x_stride;
    for t in 0..g.out.tokens() {
        // Always: `Matrix` and `Kernels::product` checked the lengths.
        let (true, Some(out)) = (fits, g.out.token(t)) else { return };
        let x = g.x.as_ptr().wrapping_add(t * g.x_stride);
        let (whole, rest) = out.as_chunks_mut::<R>();
        let mut row = g.w.as_ptr();
        let mut multiply = |out: &mut [f32; R], count: usize| {
            let mut sums = [0.0; R];
            let step = g.row_stride;
            let rows = core::array::from_fn(|r| row.wrapping_add(r.min(count - 1) * step));
            if groups > 0 {
                // SAFETY: `fits` says that every row up to `last` has its blocks and every token
                // its inputs, and `groups` is not above either; build.rs enables the module
                // of `dots` only for targets with its instructions.
                unsafe { dots(&rows, x, groups, &mut sums) };
            }
            row = row.wrapping_add(R * step);
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = if g.accumulate { *out + sum } else { sum };
            }
        };
        whole.iter_mut().for_each(|out| multiply(out, R));
        if !rest.is_empty() {
            let mut last = [0.0; R];
            last.iter_mut().zip(&*rest).for_each(|(last, out)| *last = *out);
            multiply(&mut last, rest.len());
            rest.iter_mut().zip(last).for_each(|(out, last)| *out = last);
        }
    }
}

/// Offsets of the parts of an input block: of the pairs of sums (scales come first).
pub(super) const SUMS: usize = core::mem::offset_of!(InputBlock, sums);
/// As above, of the quants.
pub(super) const QUANTS: usize = core::mem::offset_of!(InputBlock, qs);
const _: () = assert!(core::mem::offset_of!(InputBlock, d) == 0);
