//! Q4_1, Q5_0, Q5_1 and Q8_1: 32 values a block, with a scale and some with a minimum.

#![allow(non_camel_case_types)] // the formats' names

use bytemuck::{Pod, Zeroable};

use super::dtype::QK;
use super::float::F16;
use super::unpacked::{Small, dequantize, nibble_words, nibbles, spread_bits, unpack_small};

/// 32 values: `x = d * q + m`, the nibbles as in [`BlockQ4_0`](super::BlockQ4_0).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockQ4_1 {
    /// The scale.
    pub d: F16,
    /// The value of quant 0.
    pub m: F16,
    /// The packed nibbles.
    pub qs: [u8; QK / 2],
}

/// 32 values: `x = d * (q - 16)`, `q` in 0 ..= 31.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockQ5_0 {
    /// The scale.
    pub d: F16,
    /// Bit `j` (little-endian) is the highest bit of quant `j`.
    pub qh: [u8; QK / 8],
    /// The lower bits, as nibbles.
    pub qs: [u8; QK / 2],
}

/// 32 values: `x = d * q + m`, `q` in 0 ..= 31.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockQ5_1 {
    /// The scale.
    pub d: F16,
    /// The value of quant 0.
    pub m: F16,
    /// As in [`BlockQ5_0`].
    pub qh: [u8; QK / 8],
    /// The lower bits, as nibbles.
    pub qs: [u8; QK / 2],
}

/// 32 values: `x = d * q`. ggml's inputs of products; as a weight it is Q8_0 with a sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockQ8_1 {
    /// The scale.
    pub d: F16,
    /// `d` times the sum of the quants; values do not need it.
    pub s: F16,
    /// The quants.
    pub qs: [i8; QK],
}

/// Quants of 5 bits.
#[inline(always)]
fn five_bits(qh: &[u8; QK / 8], qs: &[u8; QK / 2], out: &mut [u8; QK]) {
    let mut words = nibble_words(qs);
    for (word, &high) in words.iter_mut().zip(qh) {
        *word |= spread_bits(high) << 4;
    }
    *out = bytemuck::cast(words.map(u64::to_le));
}

impl Small for BlockQ4_1 {
    #[inline(always)]
    fn unpack_32(&self, quants: &mut [u8; QK]) -> [f32; 2] {
        nibbles(&self.qs, quants);
        [self.d.get(), -self.m.get()]
    }
}

impl Small for BlockQ5_0 {
    #[inline(always)]
    fn unpack_32(&self, quants: &mut [u8; QK]) -> [f32; 2] {
        five_bits(&self.qh, &self.qs, quants);
        [self.d.get(), 0.0]
    }
}

impl Small for BlockQ5_1 {
    #[inline(always)]
    fn unpack_32(&self, quants: &mut [u8; QK]) -> [f32; 2] {
        five_bits(&self.qh, &self.qs, quants);
        [self.d.get(), -self.m.get()]
    }
}

impl Small for BlockQ8_1 {
    #[inline(always)]
    fn unpack_32(&self, quants: &mut [u8; QK]) -> [f32; 2] {
        *quants = self.qs.map(|q| q.cast_unsigned() ^ 0x80);
        [self.d.get(), 0.0]
    }
}

unpack_small!(BlockQ4_1, {
    const BIAS: u8 = 0;
    const LARGEST: u8 = 15;
    const MINS: bool = true;
});
unpack_small!(BlockQ5_0, {
    const BIAS: u8 = 16;
    const LARGEST: u8 = 31;
});
unpack_small!(BlockQ5_1, {
    const BIAS: u8 = 0;
    const LARGEST: u8 = 31;
    const MINS: bool = true;
});
unpack_small!(BlockQ8_1, {
    const BIAS: u8 = 128;
    const LARGEST: u8 = 255;
});
dequantize!(BlockQ4_1: QK, BlockQ5_0: QK, BlockQ5_1: QK, BlockQ8_1: QK);
