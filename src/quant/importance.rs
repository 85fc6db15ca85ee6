//! The weights of errors, made of an importance matrix.

use super::lanes::{Lanes, transpose};

/// The mean of the squares, added up in order.
pub(super) fn mean_square(x: &[f32]) -> f32 {
    x.iter().fold(0.0, |sum, x| sum + x * x) / x.len() as f32
}

/// `weights * sqrt(mean + x^2)`, the values in groups of `N`.
pub(super) fn importance<const N: usize, const G: usize>(
    x: &[Lanes<G>; N],
    weights: &[f32],
    mean: f32,
) -> [Lanes<G>; N] {
    let mut out = transpose::<N, G>(weights);
    for (out, &x) in out.iter_mut().zip(x) {
        *out = *out * (x * x).map(|square| libm::sqrtf(mean + square));
    }
    out
}
