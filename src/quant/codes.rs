//! Encoders of IQ4_NL and IQ4_XS, whose codes stand for values that are not evenly spaced.
//!
//! As for the K-quants a scale is searched for: those that put the value of largest magnitude at
//! -120 to -134. The bytes are those of ggml's `quantize_iq4_nl` and `quantize_iq4_xs`, with which
//! files are made; its `quantize_row_iq4_nl_ref` searches less.

use half::f16;

use super::importance::{importance, mean_square};
use super::k_quants::{first_largest, stored, write};
use super::lanes::{Lanes, nearest, transpose};
use super::rounded::nibbles;
use super::search::{NOTHING, both, largest};
use crate::kernels::{BlockIQ4_NL, BlockIQ4_XS, IQ4_VALUES, QK, QK_K};

/// Encodes 32 values, with weights if there is an importance matrix; `false` if the scale is beyond
/// f16.
pub(super) fn iq4_nl(x: &[f32; QK], weights: Option<&[f32; QK]>, out: &mut [u8; 18]) -> bool {
    let groups = transpose::<QK, 1>(x);
    let Lanes([scale]) = search(&groups, &weights_of(x, &groups, weights));
    let d = f16::from_f32(scale);
    write(&BlockIQ4_NL { d: stored(d), qs: nibbles(&codes(x, scale)) }, out);
    d.is_finite()
}

/// As [`iq4_nl`], 256 values.
pub(super) fn iq4_xs(x: &[f32; QK_K], weights: Option<&[f32; QK_K]>, out: &mut [u8; 136]) -> bool {
    let groups = transpose::<QK, 8>(x);
    let scales = search(&groups, &weights_of(x, &groups, weights));
    let step = -first_largest(&scales) / 32.0;
    let inverse = if step == 0.0 { 0.0 } else { 1.0 / step };
    let whole = scales.0.map(|scale| nearest(inverse * scale).clamp(-32, 31));
    let d = f16::from_f32(step);
    let mut block = BlockIQ4_XS { d: stored(d), ..bytemuck::Zeroable::zeroed() };
    let (mut low, mut high) = (0u32, 0u16);
    let groups = block.qs.iter_mut().zip(x.as_chunks().0);
    for (g, ((qs, x), whole)) in groups.zip(whole).enumerate() {
        *qs = nibbles(&codes(x, step * whole as f32));
        let bits = (whole + 32) as u8;
        low |= u32::from(bits & 15) << (4 * g);
        high |= u16::from(bits >> 4) << (2 * g);
    }
    (block.scales_l, block.scales_h) = (low.to_le_bytes(), high.to_le_bytes());
    write(&block, out);
    d.is_finite() && scales.0.iter().all(|s| s.is_finite())
}

fn weights_of<const G: usize, const LEN: usize>(
    x: &[f32; LEN],
    groups: &[Lanes<G>; QK],
    weights: Option<&[f32; LEN]>,
) -> [Lanes<G>; QK] {
    match weights {
        Some(weights) => importance(groups, weights, 2.0 * mean_square(x)),
        None => groups.map(|x| x * x),
    }
}

/// The codes of the nearest values of `x = scale * value`, all that of 0 without a scale.
fn codes(x: &[f32; QK], scale: f32) -> [u8; QK] {
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    x.map(|x| MIDDLES.iter().map(|&middle| u8::from(inverse * x >= middle)).sum())
}

/// What lies halfway between neighbouring values: the greater one's.
const MIDDLES: [f32; 15] = {
    let mut middles = [0.0; 15];
    let mut i = 0;
    while i < middles.len() {
        middles[i] = (IQ4_VALUES[i] as f32 + IQ4_VALUES[i + 1] as f32) / 2.0;
        i += 1;
    }
    middles
};

/// How much each value is above the one before it.
const RISES: [f32; 15] = {
    let mut rises = [0.0; 15];
    let mut i = 0;
    while i < rises.len() {
        rises[i] = IQ4_VALUES[i + 1] as f32 - IQ4_VALUES[i] as f32;
        i += 1;
    }
    rises
};

const LOWEST: f32 = IQ4_VALUES[0] as f32;

/// The value that is nearest to `x`.
#[inline(always)]
fn value(x: f32) -> f32 {
    let mut value = LOWEST;
    for (middle, rise) in MIDDLES.iter().zip(RISES) {
        value += if x < *middle { 0.0 } else { rise };
    }
    value
}

/// The scale of each group, with the least squares of the weighted errors; zero for zeros.
fn search<const G: usize>(x: &[Lanes<G>; QK], weights: &[Lanes<G>; QK]) -> Lanes<G> {
    let largest = largest(x);
    let sums = |inverse: Lanes<G>| {
        // All values first: these are computed side by side, unlike the sums of few groups.
        let values = x.map(|x| (inverse * x).map(value));
        let (mut xq, mut qq) = (Lanes::ZERO, Lanes::ZERO);
        for ((&x, &w), &q) in x.iter().zip(weights).zip(&values) {
            xq = xq + w * q * x;
            qq = qq + w * q * q;
        }
        (xq, qq)
    };
    let fit =
        |xq: Lanes<G>, qq: Lanes<G>| xq.zip(qq, |xq, qq| if qq > 0.0 { xq / qq } else { 0.0 });
    let (xq, qq) = sums(largest.map(|m| 1.0 / (-m / LOWEST)));
    let mut scale = fit(xq, qq);
    let mut best = scale * xq;
    for step in -7i8..=7 {
        let (xq, qq) = sums(largest.map(|m| (f32::from(step) + LOWEST) / m));
        let gains = (xq * xq).test(best * qq, |a, b| a > b);
        let better = both(gains, qq.test(Lanes::ZERO, |a, b| a > b));
        let fit = fit(xq, qq);
        scale.replace(better, fit);
        best.replace(better, fit * xq);
    }
    scale.replace(largest.test(Lanes::ZERO, |m, _| m.abs() < NOTHING), Lanes::ZERO);
    scale
}
