//! Encoders of the K-quants: Q4_K, Q5_K, Q6_K.
//!
//! Each group's scale (and min) is searched for: a few scales near the one that just covers the
//! group's range are tried; for each, the quants follow by rounding, and from the quants the
//! scale and min of least squares. The best is kept, then the groups' scales and mins are
//! themselves quantized and the quants rounded once more. Source of the search, of its weights
//! and of the order of every sum: ggml's reference encoders, whose bytes these are.

use half::f16;

use super::lanes::{Lanes, nearest, transpose};
use crate::kernels::{BlockQ4_K, BlockQ5_K, BlockQ6_K, F16, QK_K};

/// Below this magnitude Q6_K takes a group for zeros.
const NOTHING: f32 = 1e-15;
/// Steps of the search between neighbouring scales, in quants.
const STEP: f32 = 0.1;

/// Encodes 256 values; `false` if a scale is beyond f16.
pub(super) fn q4_k(x: &[f32; QK_K], out: &mut [u8; 144]) -> bool {
    let mut block = BlockQ4_K::ZERO;
    let e = affine(x, &Search { most: 15, first: -1.0, steps: 20 });
    (block.d, block.dmin) = (stored(e.d), stored(e.dmin));
    block.set_scales(e.scales, e.mins);
    block.set_quants(&e.quants);
    write(&block, out);
    e.d.is_finite() && e.dmin.is_finite()
}

/// As [`q4_k`].
pub(super) fn q5_k(x: &[f32; QK_K], out: &mut [u8; 176]) -> bool {
    let mut block = BlockQ5_K::ZERO;
    let e = affine(x, &Search { most: 31, first: -0.5, steps: 15 });
    (block.d, block.dmin) = (stored(e.d), stored(e.dmin));
    block.set_scales(e.scales, e.mins);
    block.set_quants(&e.quants);
    write(&block, out);
    e.d.is_finite() && e.dmin.is_finite()
}

/// As [`q4_k`].
pub(super) fn q6_k(x: &[f32; QK_K], out: &mut [u8; 210]) -> bool {
    let groups = transpose(x);
    let (scales, inverses) = symmetric_search(&groups);
    let mut block = BlockQ6_K::ZERO;
    let largest = scales.0.iter().fold(0.0f32, |m, &s| if s.abs() > m.abs() { s } else { m });
    // A search that overflowed finds NaN.
    let finite = scales.0.iter().all(|s| s.is_finite());
    if largest.abs() < NOTHING || !finite {
        write(&block, out);
        return finite;
    }
    let inverse = -128.0 / largest;
    let d = f16::from_f32(1.0 / inverse);
    block.d = stored(d);
    let mut quants = [0; QK_K];
    let places = quants.as_chunks_mut::<16>().0.iter_mut().zip(x.as_chunks::<16>().0);
    let searched = scales.0.iter().zip(inverses.0).zip(&mut block.scales);
    for ((quants, x), ((&scale, inverse_scale), out)) in places.zip(searched) {
        *out = nearest(inverse * scale).min(127) as i8;
        let step = d.to_f32() * f32::from(*out);
        for (q, &x) in quants.iter_mut().zip(x) {
            // What has no scale keeps the quants of the search: they decode to zeros all the same.
            *q = match (step == 0.0, scale == 0.0) {
                (false, _) => (nearest(x / step).clamp(-32, 31) + 32) as u8,
                (true, false) => (nearest(inverse_scale * x).clamp(-32, 31) + 32) as u8,
                (true, true) => 0,
            };
        }
    }
    block.set_quants(&quants);
    write(&block, out);
    d.is_finite()
}

/// Both have the same length.
fn write<B: bytemuck::NoUninit>(block: &B, out: &mut [u8]) {
    out.iter_mut().zip(bytemuck::bytes_of(block)).for_each(|(out, &byte)| *out = byte);
}

fn stored(x: f16) -> F16 {
    F16(x.to_le_bytes())
}

/// Scale and inverse of each group of 16 for `x = scale * q`, `q` in -32 ..= 31, the squares of
/// the errors weighted by `x^2`. A group of zeros has scale 0.
///
/// The scales tried are those that put the value of largest magnitude at -32 (first), then at
/// -31.1 to -32.9.
fn symmetric_search(x: &[Lanes<16>; 16]) -> (Lanes<16>, Lanes<16>) {
    let largest =
        x.iter().fold(Lanes::ZERO, |m, &x| m.zip(x, |m, x| if x.abs() > m.abs() { x } else { m }));
    let (mut scale, mut inverse, mut best) = (Lanes::ZERO, Lanes::ZERO, Lanes::ZERO);
    for step in core::iter::once(0).chain((-9..=9).filter(|&step| step != 0)) {
        let end = -(32.0 + STEP * step as f32);
        let tried = largest.map(|m| end / m);
        let (mut xq, mut qq) = (Lanes::ZERO, Lanes::ZERO);
        for &x in x {
            let q = (tried * x).map(|q| nearest(q).clamp(-32, 31) as f32);
            let w = x * x;
            xq = xq + w * x * q;
            qq = qq + w * q * q;
        }
        // The first is kept anyway; the others must reduce the error, best^2 being what the
        // scale explains of the sum of squares.
        let better = match step {
            0 => [true; 16],
            _ => {
                let gains = (xq * xq).test(best * qq, |a, b| a > b);
                let mut some = qq.test(Lanes::ZERO, |a, b| a > b);
                some.iter_mut().zip(gains).for_each(|(some, gain)| *some &= gain);
                some
            }
        };
        let fit = xq.zip(qq, |xq, qq| if qq == 0.0 { 0.0 } else { xq / qq });
        scale.replace(better, fit);
        best.replace(better, fit * xq);
        inverse.replace(better, tried);
    }
    let nothing = largest.test(Lanes::ZERO, |m, _| m.abs() < NOTHING);
    scale.replace(nothing, Lanes::ZERO);
    (scale, inverse)
}

/// Which scales are tried for `x = scale * q + min`, `q` in 0 ..= `most`: those that put the
/// group's range at `most` quants (first), then at `most + first`, in steps of 0.1.
struct Search {
    most: i32,
    first: f32,
    steps: i32,
}

/// A block of Q4_K or Q5_K before packing.
struct Affine {
    d: f16,
    dmin: f16,
    scales: [u8; 8],
    mins: [u8; 8],
    quants: [u8; QK_K],
}

/// What was found for each group: `x = scale * q - min`, `q = round(inverse * (x - lowest))`.
struct Found {
    scale: Lanes<8>,
    min: Lanes<8>,
    inverse: Lanes<8>,
    lowest: Lanes<8>,
}

fn affine(x: &[f32; QK_K], search: &Search) -> Affine {
    let found = affine_search(&transpose(x), search);
    let (d, scales) = quantize_scales(&found.scale);
    let (dmin, mins) = quantize_scales(&found.min);
    let mut quants = [0; QK_K];
    let places = quants.as_chunks_mut::<32>().0.iter_mut().zip(x.as_chunks::<32>().0);
    let integers = scales.iter().zip(&mins);
    let searched = found.inverse.0.iter().zip(&found.lowest.0);
    for (((quants, x), (&scale, &min)), (&inverse, &lowest)) in places.zip(integers).zip(searched) {
        let step = d.to_f32() * f32::from(scale);
        let min = dmin.to_f32() * f32::from(min);
        for (q, &x) in quants.iter_mut().zip(x) {
            // What has no scale keeps the quants of the search: they decode alike all the same.
            let nearest = if step == 0.0 {
                nearest(inverse * (x - lowest))
            } else {
                nearest((x + min) / step)
            };
            // Not `clamp`, whose check of the bounds may survive as a panic.
            *q = nearest.max(0).min(search.most) as u8;
        }
    }
    Affine { d, dmin, scales, mins, quants }
}

/// Scales (or mins) in 6 bits each, and the scale of these.
fn quantize_scales(values: &Lanes<8>) -> (f16, [u8; 8]) {
    let largest = values.0.iter().fold(0.0f32, |m, &v| if v > m { v } else { m });
    let inverse = if largest > 0.0 { 63.0 / largest } else { 0.0 };
    // A negative scale, which only rounding can make, wraps to the largest.
    (f16::from_f32(largest / 63.0), values.0.map(|v| (nearest(inverse * v) as u8).min(63)))
}

/// Scale and min of each group of 32, the squares of the errors weighted by `rms(x) + |x|`.
fn affine_search(x: &[Lanes<8>; 32], search: &Search) -> Found {
    let Search { most, first, steps } = *search;
    let squares = x.iter().fold(Lanes::ZERO, |sum, &x| sum + x * x);
    let rms = squares.map(|s| libm::sqrtf(s / 32.0));
    let weights = x.map(|x| rms.zip(x, |rms, x| rms + x.abs()));
    let (mut w, mut wx) = (Lanes::ZERO, Lanes::ZERO);
    let (mut low, mut high) = (Lanes::ZERO, Lanes([f32::NEG_INFINITY; 8]));
    for (&x, &weight) in x.iter().zip(&weights) {
        // A min above zero is taken for zero.
        low = low.zip(x, |low, x| if x < low { x } else { low });
        high = high.zip(x, |high, x| if x > high { x } else { high });
        w = w + weight;
        wx = wx + weight * x;
    }
    let quantize = |inverse: Lanes<8>, min: Lanes<8>, quants: &mut [Lanes<8>; 32]| {
        for (q, &x) in quants.iter_mut().zip(x) {
            *q = (inverse * (x - min)).map(|q| nearest(q).max(0).min(most) as f32);
        }
    };
    let error = |scale: Lanes<8>, min: Lanes<8>, quants: &[Lanes<8>; 32]| {
        let mut sum = Lanes::ZERO;
        for ((&x, &q), &w) in x.iter().zip(quants).zip(&weights) {
            let difference = scale * q + min - x;
            sum = sum + w * (difference * difference);
        }
        sum
    };

    let mut quants = [Lanes::ZERO; 32];
    let mut inverse = (high - low).map(|range| most as f32 / range);
    let mut scale = inverse.map(|inverse| 1.0 / inverse);
    let (mut min, mut lowest) = (low, low);
    quantize(inverse, min, &mut quants);
    let mut least = error(scale, min, &quants);
    for step in 0..=steps {
        let end = first + STEP * step as f32 + most as f32;
        // From the best min so far: each step builds on those before.
        let tried = (high - min).map(|range| end / range);
        quantize(tried, min, &mut quants);
        let (mut q1, mut qq, mut xq) = (Lanes::ZERO, Lanes::ZERO, Lanes::ZERO);
        for ((&x, &q), &w) in x.iter().zip(&quants).zip(&weights) {
            q1 = q1 + w * q;
            qq = qq + w * q * q;
            xq = xq + w * q * x;
        }
        let determinant = w * qq - q1 * q1;
        let mut fit = (w * xq - wx * q1) / determinant;
        let mut fit_min = (qq * wx - q1 * xq) / determinant;
        let above = fit_min.test(Lanes::ZERO, |min, _| min > 0.0);
        fit.replace(above, xq / qq);
        fit_min.replace(above, Lanes::ZERO);
        let tried_error = error(fit, fit_min, &quants);
        let mut better = tried_error.test(least, |a, b| a < b);
        let solved = determinant.test(Lanes::ZERO, |a, _| a > 0.0);
        better.iter_mut().zip(solved).for_each(|(better, solved)| *better &= solved);
        scale.replace(better, fit);
        lowest.replace(better, min);
        min.replace(better, fit_min);
        inverse.replace(better, tried);
        least.replace(better, tried_error);
    }
    // Constant groups have nothing to scale.
    let constant = high.test(low, |high, low| high == low);
    scale.replace(constant, Lanes::ZERO);
    min.replace(constant, low);
    inverse.replace(constant, Lanes::ZERO);
    Found { scale, min: min.map(|min| -min), inverse, lowest }
}
