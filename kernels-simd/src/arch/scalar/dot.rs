//! Scalar dot products of one weight row with one input row.

use crate::block::{
    BlockQ4_0, BlockQ4_K, BlockQ5_K, BlockQ6_K, BlockQ8_0, F16, Format, GROUPS, InputBlock, QK,
    QK_K, Unpacked, unpack_scales,
};
use crate::generic::accumulate::{add_product, add_scaled};

/// Partial sums kept apart: shortens the chain of dependent additions and lets the compiler
/// vectorise without reordering.
const LANES: usize = 8;

/// Float weights of any storage against f32.
#[inline(always)]
pub(crate) fn dot_float<W: Copy>(w: &[W], x: &[f32], get: impl Fn(W) -> f32) -> f32 {
    let (w_chunks, w_rest) = w.as_chunks::<LANES>();
    let (x_chunks, x_rest) = x.as_chunks::<LANES>();
    let mut sums = [0.0f32; LANES];
    for (w, x) in w_chunks.iter().zip(x_chunks) {
        for ((sum, &w), &x) in sums.iter_mut().zip(w).zip(x) {
            *sum = add_product(*sum, get(w), x);
        }
    }
    let rest: f32 = w_rest.iter().zip(x_rest).map(|(&w, &x)| get(w) * x).sum();
    sums.iter().sum::<f32>() + rest
}

/// Exact. Written out by eights, which an optimiser for size would not do.
#[inline(always)]
fn dot_signed(w: &[i8; QK], x: &[i8; QK]) -> i32 {
    let mut sum = 0;
    for (w, x) in w.as_chunks::<8>().0.iter().zip(x.as_chunks::<8>().0) {
        let p = |i: usize| i32::from(w[i % 8]) * i32::from(x[i % 8]);
        sum += p(0) + p(1) + p(2) + p(3) + p(4) + p(5) + p(6) + p(7);
    }
    sum
}

/// Exact integer sums per block, scaled and added in f32.
pub(crate) fn dot_q8_0(w: &[BlockQ8_0], x: &[InputBlock]) -> f32 {
    let mut sum = 0.0;
    for (w, x) in w.chunks(GROUPS).zip(x) {
        for (w, (d, _, x)) in w.iter().zip(x.groups()) {
            sum = add_scaled(sum, w.d, d, dot_signed(&w.qs, x));
        }
    }
    sum
}

/// As [`dot_q8_0`], the weights being nibbles.
pub(crate) fn dot_q4_0(w: &[BlockQ4_0], x: &[InputBlock]) -> f32 {
    let mut sum = 0.0;
    for (w, x) in w.chunks(GROUPS).zip(x) {
        for (w, (d, [s0, s1], x)) in w.iter().zip(x.groups()) {
            let (x_low, x_high) = x.split_at(w.qs.len());
            let mut q = -8 * (i32::from(s0) + i32::from(s1));
            for ((&w, &lo), &hi) in w.qs.iter().zip(x_low).zip(x_high) {
                q += i32::from(w & 15) * i32::from(lo) + i32::from(w >> 4) * i32::from(hi);
            }
            sum = add_scaled(sum, w.d, d, q);
        }
    }
    sum
}

pub(crate) fn dot_q4_k(w: &[BlockQ4_K], x: &[InputBlock]) -> f32 {
    let block = |(w, x): (&BlockQ4_K, _)| with_mins(w.d, w.dmin, &w.scales, &w.quants(), x);
    w.iter().zip(x).map(block).sum()
}

pub(crate) fn dot_q5_k(w: &[BlockQ5_K], x: &[InputBlock]) -> f32 {
    let block = |(w, x): (&BlockQ5_K, _)| with_mins(w.d, w.dmin, &w.scales, &w.quants(), x);
    w.iter().zip(x).map(block).sum()
}

/// `sum over groups of x.d * (d * scale * (q . x) - dmin * min * sum(x))`.
fn with_mins(d: F16, dmin: F16, scales: &[u8; 12], quants: &[u8; QK_K], x: &InputBlock) -> f32 {
    let (scales, mins) = unpack_scales(scales);
    let groups = quants.as_chunks::<QK>().0.iter().zip(x.groups());
    let mut sum = 0.0;
    for (((q, (x_d, [s0, s1], x)), scale), min) in groups.zip(scales).zip(mins) {
        let q = dot_bytes(q, x) * i32::from(scale);
        let m = (i32::from(s0) + i32::from(s1)) * i32::from(min);
        sum += x_d * (d.get() * q as f32 - dmin.get() * m as f32);
    }
    sum
}

pub(crate) fn dot_q6_k(w: &[BlockQ6_K], x: &[InputBlock]) -> f32 {
    let mut sum = 0.0;
    for (w, x) in w.iter().zip(x) {
        let quants = w.quants();
        let groups = quants.as_chunks::<QK>().0.iter().zip(w.scales.as_chunks::<2>().0);
        for ((q, scales), (d, sums, x)) in groups.zip(x.groups()) {
            let halves = q.as_chunks::<16>().0.iter().zip(x.as_chunks::<16>().0);
            let mut total = 0;
            for (((q, x), &scale), sum) in halves.zip(scales).zip(sums) {
                total += i32::from(scale) * (dot_bytes(q, x) - 32 * i32::from(sum));
            }
            sum += w.d.get() * d * total as f32;
        }
    }
    sum
}

/// The formats without a product of their own: `x.d * (scale * ((q - bias) . x) - min * sum(x))` for
/// each 16 values.
pub(crate) fn dot_unpacked(format: &Format, w: &[u8], x: &[InputBlock]) -> f32 {
    let bias = i32::from(format.bias());
    let (mut total, mut weights) = (0.0, Unpacked::ZERO);
    for (i, x) in x.iter().enumerate() {
        format.unpack(w, i, &mut weights);
        let quants = weights.quants.as_chunks::<16>().0.iter().zip(x.qs.as_chunks::<16>().0);
        let numbers = weights.scales.iter().zip(&weights.mins).zip(&x.sums).enumerate();
        for ((q, qs), (h, ((scale, min), &sum))) in quants.zip(numbers) {
            let d = x.d.get(h / 2).copied().unwrap_or(0.0);
            let products = dot_bytes(q, qs) - bias * i32::from(sum);
            total += d * (scale * products as f32 - min * f32::from(sum));
        }
    }
    total
}

/// Exact.
fn dot_bytes(q: &[u8], x: &[i8]) -> i32 {
    q.iter().zip(x).map(|(&q, &x)| i32::from(q) * i32::from(x)).sum()
}
