//! What panel products share on aarch64.

use core::arch::aarch64::*;

use super::neon::token::neon;
use crate::generic::pack::Quants;
use crate::generic::panel::{Panel, Quad, rows};

/// The four columns of four rows from `first` on.
#[inline(always)]
pub(super) fn load(w: &Quad, first: usize) -> int8x16_t {
    let rows = rows::<4>(w, first);
    // SAFETY: the array is 4 quads of 4 bytes; the target has NEON.
    unsafe { vld1q_s8(rows.as_ptr().cast()) }
}

/// 16 columns of an input row.
#[inline(always)]
pub(super) fn load_input(x: &[[i8; 4]; 4]) -> int8x16_t {
    // SAFETY: the array holds the 16 bytes that are read; the target has NEON.
    unsafe { vld1q_s8(x.as_ptr().cast()) }
}

/// Takes the bias from unsigned quants: products here are of signed bytes.
#[inline(always)]
pub(super) fn subtract_bias<P: Quants>(panel: &mut Panel) {
    if P::BIAS == 0 {
        return;
    }
    let bias = neon!(vdupq_n_u8(P::BIAS as u8));
    for quads in panel.quants.as_flattened_mut().as_chunks_mut::<4>().0 {
        let p = quads.as_mut_ptr().cast::<u8>();
        // SAFETY: `quads` is 16 bytes; the target has NEON.
        unsafe { vst1q_u8(p, vsubq_u8(vld1q_u8(p), bias)) };
    }
}
