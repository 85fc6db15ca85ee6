//! GEMV of the formats of 32 values whose panels are filled a row at a time, with one to four input
//! rows: a block's bytes become quants in registers.

use core::marker::PhantomData;

use bytemuck::Pod;

use super::Vec128;
use super::gemv_quantized::{LANES, group_sums, inputs, scales_of, sums};
use crate::block::{
    BlockIQ4_NL, BlockMXFP4, BlockQ4_1, BlockQ5_0, BlockQ5_1, FP4_VALUES, GROUPS, IQ4_VALUES,
    InputBlock, QK,
};
use crate::generic::gemv::{ChunkDot, chunks_of_groups};

/// A block of 32 values, in vectors.
pub(crate) trait Group: Pod {
    /// The largest magnitude of a quant.
    const LARGEST: u8;
    /// Subtracted from every quant.
    const LESS: i32 = 0;
    /// Whether blocks have a value for quant 0.
    const MINIMUMS: bool = false;
    /// The quants.
    fn quants<A: Vec128>(&self, a: A) -> [A::Bytes; 2];
    /// The scales of four blocks.
    fn scales<A: Vec128>(w: &[Self; LANES], a: A) -> A::F32;
    /// The values of quant 0, if [`Group::MINIMUMS`].
    #[inline(always)]
    fn minimums<A: Vec128>(_w: &[Self; LANES], a: A) -> A::F32 {
        a.splat(0.0)
    }
}

/// Rows of such blocks.
#[derive(Clone, Copy)]
pub(crate) struct Groups<W, A>(A, PhantomData<W>);

impl<W, A: Vec128> Groups<W, A> {
    pub fn new(a: A) -> Self {
        Groups(a, PhantomData)
    }
}

impl<W: Group, A: Vec128> ChunkDot for Groups<W, A> {
    chunks_of_groups!(W, W::zeroed());
    sums!();

    #[inline(always)]
    fn add<const T: usize>(&self, w: &[W; GROUPS], x: [&InputBlock; T], sums: &mut [A::F32; T]) {
        let a = self.0;
        for (h, w) in w.as_chunks::<LANES>().0.iter().enumerate() {
            let (scales, minimums) = (W::scales(w, a), W::minimums(w, a));
            let [w0, w1, w2, w3] = w;
            let w = [w0.quants(a), w1.quants(a), w2.quants(a), w3.quants(a)];
            for (x, sum) in x.iter().zip(sums.iter_mut()) {
                let (d, inputs_sums) = (scales_of(a, x, h), group_sums(a, x, h));
                let mut q = a.dot_groups(W::LARGEST, w, inputs(a, x, h));
                if W::LESS != 0 {
                    q = a.mul_add_i32(inputs_sums, a.splat_i32(-W::LESS), q);
                }
                *sum = a.mul_add(a.to_f32(q), a.mul(scales, d), *sum);
                if W::MINIMUMS {
                    *sum = a.mul_add(a.to_f32(inputs_sums), a.mul(minimums, d), *sum);
                }
            }
        }
    }
}

/// 32 nibbles.
#[inline(always)]
fn nibbles<A: Vec128>(a: A, qs: &[u8; QK / 2]) -> [A::Bytes; 2] {
    let both = a.load(qs);
    [a.and(both, a.splat_bytes(15)), a.shr::<4>(both)]
}

/// 32 nibbles, each with its bit of `high` above.
#[inline(always)]
fn five_bits<A: Vec128>(a: A, high: [u8; QK / 8], low: &[u8; QK / 2]) -> [A::Bytes; 2] {
    const BITS: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];
    const BYTES: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1];
    let [low0, low1] = nibbles(a, low);
    let [h0, h1, h2, h3] = high;
    let (bits, bytes, fifth) = (a.load(&BITS), a.load(&BYTES), a.splat_bytes(16));
    let (mut first, mut second) = ([0; 16], [0; 16]);
    [first[0], first[1], second[0], second[1]] = [h0, h1, h2, h3];
    let (first, second) = (a.look_up(a.load(&first), bytes), a.look_up(a.load(&second), bytes));
    let (first, second) = (a.test(first, bits), a.test(second, bits));
    [a.select(fifth, first, low0), a.select(fifth, second, low1)]
}

/// The values that 32 codes stand for.
#[inline(always)]
pub(super) fn values_of_codes<A: Vec128>(
    a: A,
    values: &[i8; 16],
    codes: &[u8; QK / 2],
) -> [A::Bytes; 2] {
    let (values, [low, high]) = (a.load_i8(values), nibbles(a, codes));
    [a.look_up(values, low), a.look_up(values, high)]
}

impl Group for BlockQ4_1 {
    const LARGEST: u8 = 15;
    const MINIMUMS: bool = true;

    #[inline(always)]
    fn quants<A: Vec128>(&self, a: A) -> [A::Bytes; 2] {
        nibbles(a, &self.qs)
    }
    #[inline(always)]
    fn scales<A: Vec128>(w: &[Self; LANES], a: A) -> A::F32 {
        a.widen_f16(w.each_ref().map(|w| w.d.0))
    }
    #[inline(always)]
    fn minimums<A: Vec128>(w: &[Self; LANES], a: A) -> A::F32 {
        a.widen_f16(w.each_ref().map(|w| w.m.0))
    }
}

impl Group for BlockQ5_0 {
    const LARGEST: u8 = 31;
    const LESS: i32 = 16;

    #[inline(always)]
    fn quants<A: Vec128>(&self, a: A) -> [A::Bytes; 2] {
        five_bits(a, self.qh, &self.qs)
    }
    #[inline(always)]
    fn scales<A: Vec128>(w: &[Self; LANES], a: A) -> A::F32 {
        a.widen_f16(w.each_ref().map(|w| w.d.0))
    }
}

impl Group for BlockQ5_1 {
    const LARGEST: u8 = 31;
    const MINIMUMS: bool = true;

    #[inline(always)]
    fn quants<A: Vec128>(&self, a: A) -> [A::Bytes; 2] {
        five_bits(a, self.qh, &self.qs)
    }
    #[inline(always)]
    fn scales<A: Vec128>(w: &[Self; LANES], a: A) -> A::F32 {
        a.widen_f16(w.each_ref().map(|w| w.d.0))
    }
    #[inline(always)]
    fn minimums<A: Vec128>(w: &[Self; LANES], a: A) -> A::F32 {
        a.widen_f16(w.each_ref().map(|w| w.m.0))
    }
}

impl Group for BlockIQ4_NL {
    const LARGEST: u8 = 127;

    #[inline(always)]
    fn quants<A: Vec128>(&self, a: A) -> [A::Bytes; 2] {
        values_of_codes(a, &IQ4_VALUES, &self.qs)
    }
    #[inline(always)]
    fn scales<A: Vec128>(w: &[Self; LANES], a: A) -> A::F32 {
        a.widen_f16(w.each_ref().map(|w| w.d.0))
    }
}

impl Group for BlockMXFP4 {
    const LARGEST: u8 = 12;

    #[inline(always)]
    fn quants<A: Vec128>(&self, a: A) -> [A::Bytes; 2] {
        values_of_codes(a, &FP4_VALUES, &self.qs)
    }
    #[inline(always)]
    fn scales<A: Vec128>(w: &[Self; LANES], a: A) -> A::F32 {
        a.load_f32(&w.each_ref().map(BlockMXFP4::half_scale))
    }
}
