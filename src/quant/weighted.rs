//! Encoders that search for the one scale (and minimum) of a block of 32 by weights.

use half::f16;

use super::importance::importance;
use super::lanes::{Lanes, transpose, untranspose};
use super::rounded::{fifth_bits, nibbles};
use super::search::{WEIGHTED, affine, symmetric};
use crate::kernels::QK;

/// `mean` is that of the squares of the row's values; so it is in the others.
pub(super) fn q4_0(x: &[f32; QK], weights: &[f32; QK], mean: f32, out: &mut [u8; 18]) -> bool {
    let [d0, d1, quants @ ..] = out;
    let (scale, q) = signed::<8>(x, weights, mean);
    [*d0, *d1] = scale.to_le_bytes();
    *quants = nibbles(&q);
    scale.is_finite()
}

pub(super) fn q5_0(x: &[f32; QK], weights: &[f32; QK], mean: f32, out: &mut [u8; 22]) -> bool {
    let [d0, d1, h0, h1, h2, h3, quants @ ..] = out;
    let (scale, q) = signed::<16>(x, weights, mean);
    [*d0, *d1] = scale.to_le_bytes();
    [*h0, *h1, *h2, *h3] = fifth_bits(&q);
    *quants = nibbles(&q);
    scale.is_finite()
}

pub(super) fn q4_1(x: &[f32; QK], weights: &[f32; QK], mean: f32, out: &mut [u8; 20]) -> bool {
    let [d0, d1, m0, m1, quants @ ..] = out;
    let ([scale, min], q) = from_minimum::<15>(x, weights, mean);
    ([*d0, *d1], [*m0, *m1]) = (scale.to_le_bytes(), min.to_le_bytes());
    *quants = nibbles(&q);
    scale.is_finite() && min.is_finite()
}

pub(super) fn q5_1(x: &[f32; QK], weights: &[f32; QK], mean: f32, out: &mut [u8; 24]) -> bool {
    let [d0, d1, m0, m1, h0, h1, h2, h3, quants @ ..] = out;
    let ([scale, min], q) = from_minimum::<31>(x, weights, mean);
    ([*d0, *d1], [*m0, *m1]) = (scale.to_le_bytes(), min.to_le_bytes());
    [*h0, *h1, *h2, *h3] = fifth_bits(&q);
    *quants = nibbles(&q);
    scale.is_finite() && min.is_finite()
}

/// The scale and quants, of which `ZERO` means 0.
fn signed<const ZERO: i32>(x: &[f32; QK], weights: &[f32; QK], mean: f32) -> (f16, [u8; QK]) {
    let x = transpose::<QK, 1>(x);
    let found = symmetric(ZERO, &x, &importance(&x, weights, mean));
    let Lanes([scale]) = found.scale;
    (f16::from_f32(scale), untranspose(&found.quants))
}

/// The scale, the minimum and quants from 0 to `MOST`.
fn from_minimum<const MOST: i32>(
    x: &[f32; QK],
    weights: &[f32; QK],
    mean: f32,
) -> ([f16; 2], [u8; QK]) {
    let x = transpose::<QK, 1>(x);
    let found = affine(&WEIGHTED.to(MOST), &x, &importance(&x, weights, mean));
    let (Lanes([scale]), Lanes([min])) = (found.scale, found.min);
    ([scale, -min].map(f16::from_f32), untranspose(&found.quants))
}
