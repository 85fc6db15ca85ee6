//! Dot products of one row of quantized weights with one to four input rows.

#![allow(non_camel_case_types)] // the formats' names

use super::Vec128;
use crate::block::{
    BlockQ4_0, BlockQ4_K, BlockQ5_K, BlockQ6_K, BlockQ8_0, F16, GROUPS, InputBlock, QK,
    unpack_scales,
};
use crate::generic::gemv::{ChunkDot, chunks_of_256, chunks_of_groups};

/// Groups that a vector of 32-bit sums holds.
pub(super) const LANES: usize = 4;

/// The parts of [`ChunkDot`] that all types share here.
macro_rules! sums {
    () => {
        type Sum = A::F32;
        #[inline(always)]
        fn zero(&self) -> A::F32 {
            self.0.splat(0.0)
        }
        #[inline(always)]
        fn total(&self, sum: A::F32) -> f32 {
            self.0.sum(sum)
        }
    };
}
pub(super) use sums;

/// 32 bytes a block, signed.
#[derive(Clone, Copy)]
pub(crate) struct Q8_0<A>(pub A);

impl<A: Vec128> ChunkDot for Q8_0<A> {
    chunks_of_groups!(BlockQ8_0, BlockQ8_0::ZERO);
    sums!();

    #[inline(always)]
    fn add<const T: usize>(&self, w: &Self::Chunk, x: [&InputBlock; T], sums: &mut [A::F32; T]) {
        let a = self.0;
        for (h, w) in w.as_chunks::<LANES>().0.iter().enumerate() {
            let scales = a.widen_f16(w.each_ref().map(|w| w.d.0));
            let w = w.each_ref().map(|w| halves(&w.qs).map(|half| a.load_i8(half)));
            for (x, sum) in x.iter().zip(sums.iter_mut()) {
                let q = a.dot_groups(128, w, inputs(a, x, h));
                *sum = a.mul_add(a.to_f32(q), a.mul(scales, scales_of(a, x, h)), *sum);
            }
        }
    }
}

/// 32 nibbles a block, each less 8.
#[derive(Clone, Copy)]
pub(crate) struct Q4_0<A>(pub A);

impl<A: Vec128> ChunkDot for Q4_0<A> {
    chunks_of_groups!(BlockQ4_0, BlockQ4_0 { d: F16([0; 2]), qs: [0; QK / 2] });
    sums!();

    #[inline(always)]
    fn add<const T: usize>(&self, w: &Self::Chunk, x: [&InputBlock; T], sums: &mut [A::F32; T]) {
        let a = self.0;
        let mask = a.splat_bytes(15);
        for (h, w) in w.as_chunks::<LANES>().0.iter().enumerate() {
            let scales = a.widen_f16(w.each_ref().map(|w| w.d.0));
            let w = w.each_ref().map(|w| {
                let both = a.load(&w.qs);
                [a.and(both, mask), a.shr::<4>(both)]
            });
            for (x, sum) in x.iter().zip(sums.iter_mut()) {
                let q = a.dot_groups(15, w, inputs(a, x, h));
                let q = a.mul_add_i32(group_sums(a, x, h), a.splat_i32(-8), q);
                *sum = a.mul_add(a.to_f32(q), a.mul(scales, scales_of(a, x, h)), *sum);
            }
        }
    }
}

/// 256 nibbles, with mins.
#[derive(Clone, Copy)]
pub(crate) struct Q4_K<A>(pub A);

impl<A: Vec128> ChunkDot for Q4_K<A> {
    chunks_of_256!(BlockQ4_K);
    sums!();

    #[inline(always)]
    fn add<const T: usize>(&self, w: &BlockQ4_K, x: [&InputBlock; T], sums: &mut [A::F32; T]) {
        let a = self.0;
        let group = |g: usize| nibbles(a, &w.qs, g);
        let groups =
            |h: usize| [group(4 * h), group(4 * h + 1), group(4 * h + 2), group(4 * h + 3)];
        let mut mins = WithMins::<A, T>::new(a, &w.scales);
        mins.add(0, 15, groups(0), x);
        mins.add(1, 15, groups(1), x);
        mins.finish([w.d, w.dmin], sums);
    }
}

/// 256 values of 5 bits, with mins.
#[derive(Clone, Copy)]
pub(crate) struct Q5_K<A>(pub A);

impl<A: Vec128> ChunkDot for Q5_K<A> {
    chunks_of_256!(BlockQ5_K);
    sums!();

    #[inline(always)]
    fn add<const T: usize>(&self, w: &BlockQ5_K, x: [&InputBlock; T], sums: &mut [A::F32; T]) {
        let a = self.0;
        let fifth = a.splat_bytes(16);
        let [h0, h1] = halves(&w.qh).map(|half| a.load(half));
        let group = |g: usize| {
            let [q0, q1] = nibbles(a, &w.qs, g);
            [a.select(fifth, to_bit_4(a, h0, g), q0), a.select(fifth, to_bit_4(a, h1, g), q1)]
        };
        let groups =
            |h: usize| [group(4 * h), group(4 * h + 1), group(4 * h + 2), group(4 * h + 3)];
        let mut mins = WithMins::<A, T>::new(a, &w.scales);
        mins.add(0, 31, groups(0), x);
        mins.add(1, 31, groups(1), x);
        mins.finish([w.d, w.dmin], sums);
    }
}

/// 256 values of 6 bits, each less 32, a scale for each 16.
#[derive(Clone, Copy)]
pub(crate) struct Q6_K<A>(pub A);

impl<A: Vec128> ChunkDot for Q6_K<A> {
    chunks_of_256!(BlockQ6_K);
    sums!();

    /// The scales join the integers: 16 * 63 * 127 * 128 fits 32 bits.
    #[inline(always)]
    fn add<const T: usize>(&self, w: &BlockQ6_K, x: [&InputBlock; T], sums: &mut [A::F32; T]) {
        let a = self.0;
        let mut block = [a.splat(0.0); T];
        for (h, scales) in w.scales.as_chunks::<8>().0.iter().enumerate() {
            let [even, odd] = a.even_odd_bytes(scales);
            let [b, c, d, e] = q6_half(a, w, h);
            for (x, block) in x.iter().zip(block.iter_mut()) {
                let [xb, xc, xd, xe] = inputs(a, x, h);
                let [even_sums, odd_sums] = a.even_odd(&x.sums.as_chunks().0[h % 2]);
                let less_32 = |q, sums| a.mul_add_i32(sums, a.splat_i32(-32), q);
                let q = a.dot_halves(63, [b[0], c[0], d[0], e[0]], [xb[0], xc[0], xd[0], xe[0]]);
                let low = a.mul_i32(less_32(q, even_sums), even);
                let q = a.dot_halves(63, [b[1], c[1], d[1], e[1]], [xb[1], xc[1], xd[1], xe[1]]);
                let q = a.mul_add_i32(less_32(q, odd_sums), odd, low);
                *block = a.mul_add(a.to_f32(q), scales_of(a, x, h), *block);
            }
        }
        let d = a.splat_f16(w.d.0);
        for (block, sum) in block.into_iter().zip(sums) {
            *sum = a.mul_add(block, d, *sum);
        }
    }
}

/// A block's sums over groups, before its two scales: `x.d * scale * (q . x)` and
/// `x.d * min * sum(x)`.
struct WithMins<A: Vec128, const T: usize> {
    a: A,
    scales: [A::I32; 2],
    mins: [A::I32; 2],
    sums: [[A::F32; 2]; T],
}

impl<A: Vec128, const T: usize> WithMins<A, T> {
    #[inline(always)]
    fn new(a: A, scales: &[u8; 12]) -> Self {
        let (scales, mins) = unpack_scales(scales);
        let zero = a.splat(0.0);
        WithMins { a, scales: a.widen_u8(scales), mins: a.widen_u8(mins), sums: [[zero; 2]; T] }
    }

    /// Groups `4 * h ..`, whose quants are at most `largest`. 32 * 31 * 127 * 63 fits 32 bits.
    #[inline(always)]
    fn add(&mut self, h: usize, largest: u8, w: [[A::Bytes; 2]; 4], x: [&InputBlock; T]) {
        let (a, scales, mins) = (self.a, self.scales[h % 2], self.mins[h % 2]);
        for (x, [products, offsets]) in x.iter().zip(&mut self.sums) {
            let d = scales_of(a, x, h);
            let q = a.mul_i32(a.dot_groups(largest, w, inputs(a, x, h)), scales);
            let m = a.mul_i32(group_sums(a, x, h), mins);
            *products = a.mul_add(a.to_f32(q), d, *products);
            *offsets = a.mul_add(a.to_f32(m), d, *offsets);
        }
    }

    #[inline(always)]
    fn finish(self, [d, dmin]: [F16; 2], sums: &mut [A::F32; T]) {
        let a = self.a;
        let (d, dmin) = (a.splat_f16(d.0), a.splat_f16(dmin.0));
        for ([products, offsets], sum) in self.sums.into_iter().zip(sums) {
            *sum = a.mul_sub(offsets, dmin, a.mul_add(products, d, *sum));
        }
    }
}

#[inline(always)]
pub(super) fn halves<B>(bytes: &[B; QK]) -> [&[B; 16]; 2] {
    let halves = bytes.as_chunks::<16>().0;
    [&halves[0], &halves[1]]
}

/// The quants of groups `4 * h ..`.
#[inline(always)]
pub(super) fn inputs<A: Vec128>(a: A, x: &InputBlock, h: usize) -> [[A::Bytes; 2]; LANES] {
    let groups = &x.qs.as_chunks::<QK>().0.as_chunks::<LANES>().0[h % (GROUPS / LANES)];
    groups.each_ref().map(|group| halves(group).map(|half| a.load_i8(half)))
}

/// The scales of groups `4 * h ..`.
#[inline(always)]
pub(super) fn scales_of<A: Vec128>(a: A, x: &InputBlock, h: usize) -> A::F32 {
    a.load_f32(&x.d.as_chunks::<LANES>().0[h % (GROUPS / LANES)])
}

/// The sums of groups `4 * h ..`.
#[inline(always)]
pub(super) fn group_sums<A: Vec128>(a: A, x: &InputBlock, h: usize) -> A::I32 {
    a.pair_sums(&x.sums.as_chunks().0[h % (GROUPS / LANES)])
}

/// Group `g` of 256 nibbles.
#[inline(always)]
fn nibbles<A: Vec128>(a: A, qs: &[u8; 128], g: usize) -> [A::Bytes; 2] {
    halves(&qs.as_chunks().0[g / 2 % 4]).map(|half| {
        let both = a.load(half);
        if g % 2 == 0 { a.and(both, a.splat_bytes(15)) } else { a.shr::<4>(both) }
    })
}

/// Bit `g` of each byte to bit 4, whatever becomes of the others.
#[inline(always)]
fn to_bit_4<A: Vec128>(a: A, v: A::Bytes, g: usize) -> A::Bytes {
    match g {
        0 => a.shl::<4>(v),
        1 => a.shl::<3>(v),
        2 => a.shl::<2>(v),
        3 => a.shl::<1>(v),
        4 => v,
        5 => a.shr::<1>(v),
        6 => a.shr::<2>(v),
        _ => a.shr::<3>(v),
    }
}

/// Groups `4 * h ..` of 6-bit quants.
#[inline(always)]
fn q6_half<A: Vec128>(a: A, w: &BlockQ6_K, h: usize) -> [[A::Bytes; 2]; LANES] {
    let (low, high) = (a.splat_bytes(15), a.splat_bytes(48));
    let [l0, l1] = [0, 1].map(|i| halves(&w.ql.as_chunks().0[(2 * h + i) % 4]));
    let [l0, l1] = [l0, l1].map(|l| l.map(|half| a.load(half)));
    let top = halves(&w.qh.as_chunks().0[h % 2]).map(|half| a.load(half));
    let join = |top, bottom| a.select(high, top, bottom);
    [
        [0, 1].map(|i| join(a.shl::<4>(top[i]), a.and(l0[i], low))),
        [0, 1].map(|i| join(a.shl::<2>(top[i]), a.and(l1[i], low))),
        [0, 1].map(|i| join(top[i], a.shr::<4>(l0[i]))),
        [0, 1].map(|i| join(a.shr::<2>(top[i]), a.shr::<4>(l1[i]))),
    ]
}
