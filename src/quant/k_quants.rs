//! Encoders of the K-quants: Q2_K to Q6_K.
//!
//! The scale (and min) of each group is searched for, then the groups' scales and mins are themselves
//! quantized and the quants rounded once more. The bytes are those of ggml's reference encoders.

use half::f16;

use super::importance::{importance, mean_square};
use super::lanes::{Lanes, nearest, transpose, untranspose};
use super::search::{
    Affine, NOTHING, Search, Symmetric, WEIGHTED, affine, one_by_one, symmetric, whole,
};
use crate::kernels::{BlockQ2_K, BlockQ3_K, BlockQ4_K, BlockQ5_K, BlockQ6_K, F16, QK_K};

/// Encodes 256 values, with weights if there is an importance matrix; `false` if a scale is beyond
/// f16.
pub(super) fn q2_k(x: &[f32; QK_K], weights: Option<&[f32; QK_K]>, out: &mut [u8; 84]) -> bool {
    let groups = transpose::<16, 16>(x);
    let (found, [(d, scales), (dmin, mins)]) = match weights {
        Some(weights) => {
            let weights = importance(&groups, weights, mean_square(x));
            let found = affine(&WEIGHTED.to(3), &groups, &weights);
            let numbers = whole_numbers(15, &found, &weights);
            (found, numbers)
        }
        None => {
            let search = Search { most: 3, first: -0.5, step: 0.1, steps: 15, absolute: true };
            let found = affine(&search, &groups, &groups.map(|x| x.map(f32::abs)));
            let numbers = [&found.scale, &found.min].map(|n| quantize_scales(15, n));
            (found, numbers)
        }
    };
    let mut block: BlockQ2_K = bytemuck::Zeroable::zeroed();
    for ((out, scale), min) in block.scales.iter_mut().zip(scales).zip(mins) {
        *out = scale | min << 4;
    }
    let steps = block.scales.map(|s| d.to_f32() * f32::from(s & 15));
    let lows = block.scales.map(|s| dmin.to_f32() * f32::from(s >> 4));
    let mut quants = untranspose(&found.quants);
    requantize::<16, 16>(x, steps, lows, [0, 3], &mut quants);
    block.set_quants(&quants);
    (block.d, block.dmin) = (stored(d), stored(dmin));
    write(&block, out);
    d.is_finite() && dmin.is_finite() && all_finite(&found.scale) && all_finite(&found.min)
}

/// As [`q2_k`].
pub(super) fn q3_k(x: &[f32; QK_K], weights: Option<&[f32; QK_K]>, out: &mut [u8; 110]) -> bool {
    let groups = transpose::<16, 16>(x);
    let (found, d, scales) = match weights {
        Some(weights) => {
            let weights = importance(&groups, weights, 2.0 * mean_square(x));
            let found = symmetric(4, &groups, &weights);
            // The scales are values of one group, weighted by the sums of their own groups' weights.
            let [values, weights] = [found.scale, sum(&weights)].map(|n| n.0.map(|n| Lanes([n])));
            let Symmetric { scale: Lanes([d]), quants } = symmetric::<16, 1>(32, &values, &weights);
            (found, f16::from_f32(d), untranspose(&quants))
        }
        None => {
            let found = one_by_one(4, &groups);
            let largest = first_largest(&found.scale);
            let inverse = -32.0 / largest;
            // Without any scale they are the bits of zero, which mean -32.
            let bits = |s: f32| match largest == 0.0 {
                true => 0,
                false => (nearest(inverse * s).clamp(-32, 31) + 32) as u8,
            };
            let d = f16::from_f32(if largest == 0.0 { 0.0 } else { 1.0 / inverse });
            let scales = found.scale.0.map(bits);
            (found, d, scales)
        }
    };
    let mut block: BlockQ3_K = bytemuck::Zeroable::zeroed();
    block.d = stored(d);
    block.set_scales(scales);
    let steps = scales.map(|s| d.to_f32() * f32::from(i16::from(s) - 32));
    let mut quants = untranspose(&found.quants);
    requantize::<16, 16>(x, steps, [0.0; 16], [-4, 3], &mut quants);
    block.set_quants(&quants);
    write(&block, out);
    d.is_finite() && all_finite(&found.scale)
}

/// As [`q2_k`].
pub(super) fn q4_k(x: &[f32; QK_K], weights: Option<&[f32; QK_K]>, out: &mut [u8; 144]) -> bool {
    let mut block = BlockQ4_K::ZERO;
    let e = groups_of_32(x, weights, &Search { most: 15, first: -1.0, steps: 20, ..SQUARES });
    (block.d, block.dmin) = (stored(e.d), stored(e.dmin));
    block.set_scales(e.scales, e.mins);
    block.set_quants(&e.quants);
    write(&block, out);
    e.d.is_finite() && e.dmin.is_finite()
}

/// As [`q2_k`].
pub(super) fn q5_k(x: &[f32; QK_K], weights: Option<&[f32; QK_K]>, out: &mut [u8; 176]) -> bool {
    let mut block = BlockQ5_K::ZERO;
    let e = groups_of_32(x, weights, &Search { most: 31, first: -0.5, steps: 15, ..SQUARES });
    (block.d, block.dmin) = (stored(e.d), stored(e.dmin));
    block.set_scales(e.scales, e.mins);
    block.set_quants(&e.quants);
    write(&block, out);
    e.d.is_finite() && e.dmin.is_finite()
}

/// As [`q2_k`].
pub(super) fn q6_k(x: &[f32; QK_K], weights: Option<&[f32; QK_K]>, out: &mut [u8; 210]) -> bool {
    let groups = transpose::<16, 16>(x);
    let weights = weights.map_or_else(|| groups.map(|x| x * x), |weights| transpose(weights));
    let Symmetric { scale, quants } = symmetric(32, &groups, &weights);
    let mut block = BlockQ6_K::ZERO;
    let largest = first_largest(&scale);
    // A search that overflowed finds NaN.
    let finite = all_finite(&scale);
    if largest.abs() < NOTHING || !finite {
        write(&block, out);
        return finite;
    }
    let inverse = -128.0 / largest;
    let d = f16::from_f32(1.0 / inverse);
    block.d = stored(d);
    block.scales = scale.0.map(|scale| nearest(inverse * scale).min(127) as i8);
    let steps = block.scales.map(|s| d.to_f32() * f32::from(s));
    let mut quants = untranspose(&quants);
    requantize::<16, 16>(x, steps, [0.0; 16], [-32, 31], &mut quants);
    block.set_quants(&quants);
    write(&block, out);
    d.is_finite()
}

fn all_finite<const G: usize>(numbers: &Lanes<G>) -> bool {
    numbers.0.iter().all(|n| n.is_finite())
}

/// Of each group.
fn sum<const N: usize, const G: usize>(x: &[Lanes<G>; N]) -> Lanes<G> {
    x.iter().fold(Lanes::ZERO, |sum, &x| sum + x)
}

/// Both have the same length.
pub(super) fn write<B: bytemuck::NoUninit>(block: &B, out: &mut [u8]) {
    out.iter_mut().zip(bytemuck::bytes_of(block)).for_each(|(out, &byte)| *out = byte);
}

pub(super) fn stored(x: f16) -> F16 {
    F16(x.to_le_bytes())
}

/// The scale of largest magnitude, the first of equals.
pub(super) fn first_largest<const G: usize>(scales: &Lanes<G>) -> f32 {
    scales.0.iter().fold(0.0, |m: f32, &s| if s.abs() > m.abs() { s } else { m })
}

/// The nearest quants of `x = step * q - min` within `[low, high]`, stored without sign. What has no
/// step keeps the quants of the search: they decode alike all the same.
fn requantize<const N: usize, const G: usize>(
    x: &[f32; QK_K],
    steps: [f32; G],
    mins: [f32; G],
    [low, high]: [i32; 2],
    quants: &mut [u8; QK_K],
) {
    let places = quants.as_chunks_mut::<N>().0.iter_mut().zip(x.as_chunks::<N>().0);
    for ((quants, x), (step, min)) in places.zip(steps.into_iter().zip(mins)) {
        for (q, &x) in quants.iter_mut().zip(x) {
            if step != 0.0 {
                *q = (nearest((x + min) / step).max(low).min(high) - low) as u8;
            }
        }
    }
}

const SQUARES: Search = Search { most: 0, first: 0.0, step: 0.1, steps: 0, absolute: false };

/// A block of Q4_K or Q5_K before packing.
struct Groups {
    d: f16,
    dmin: f16,
    scales: [u8; 8],
    mins: [u8; 8],
    quants: [u8; QK_K],
}

/// Without weights, the squares of the errors are weighted by `rms(x) + |x|`, and `search` is how.
fn groups_of_32(x: &[f32; QK_K], weights: Option<&[f32; QK_K]>, search: &Search) -> Groups {
    let most = search.most;
    let groups = transpose::<32, 8>(x);
    let (found, [(d, scales), (dmin, mins)]) = match weights {
        Some(weights) => {
            let weights = importance(&groups, weights, 2.0 * mean_square(x));
            let found = affine(&WEIGHTED.to(most), &groups, &weights);
            let numbers = whole_numbers(63, &found, &weights);
            (found, numbers)
        }
        None => {
            let rms = sum(&groups.map(|x| x * x)).map(|s| libm::sqrtf(s / 32.0));
            let weights = groups.map(|x| rms.zip(x, |rms, x| rms + x.abs()));
            let found = affine(search, &groups, &weights);
            let numbers = [&found.scale, &found.min].map(|n| quantize_scales(63, n));
            (found, numbers)
        }
    };
    // A negative scale, which only rounding can make, wraps to the largest.
    let (scales, mins) = (scales.map(|s| s.min(63)), mins.map(|m| m.min(63)));
    let steps = scales.map(|s| d.to_f32() * f32::from(s));
    let lows = mins.map(|m| dmin.to_f32() * f32::from(m));
    let mut quants = untranspose(&found.quants);
    requantize::<32, 8>(x, steps, lows, [0, most], &mut quants);
    Groups { d, dmin, scales, mins, quants }
}

/// Scales and mins as whole numbers up to `most`, by the weights of their groups.
fn whole_numbers<const N: usize, const G: usize>(
    most: i32,
    found: &Affine<N, G>,
    weights: &[Lanes<G>; N],
) -> [(f16, [u8; G]); 2] {
    let weights = sum(weights);
    [&found.scale, &found.min].map(|numbers| {
        let (scale, quants) = whole(most, &numbers.0, &weights.0);
        (f16::from_f32(scale), quants)
    })
}

/// Scales (or mins) as whole numbers up to `most`, and the scale of these.
fn quantize_scales<const G: usize>(most: u8, values: &Lanes<G>) -> (f16, [u8; G]) {
    let most = f32::from(most);
    let largest = values.0.iter().fold(0.0f32, |m, &v| if v > m { v } else { m });
    let inverse = if largest > 0.0 { most / largest } else { 0.0 };
    (f16::from_f32(largest / most), values.0.map(|v| nearest(inverse * v) as u8))
}
