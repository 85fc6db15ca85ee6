//! Q2_K, Q3_K, TQ1_0 and TQ2_0, 256 values of up to three bits, and Q8_K, 256 bytes.

#![allow(non_camel_case_types)] // the formats' names

use bytemuck::{Pod, Zeroable};

use super::dtype::QK_K;
use super::float::{F16, F32};
use super::unpacked::{HALVES, Unpacked, dequantize, quarters, unpack_large};

/// 256 values in 16 groups of 16: `x = d * scale * q - dmin * min`, `q` in 0 ..= 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockQ2_K {
    /// A group's scale in the low nibble, its min in the high one.
    pub scales: [u8; HALVES],
    /// Of each half (128 values), byte `l` holds values `l`, `l + 32`, `l + 64` and `l + 96`, lowest
    /// bits first.
    pub qs: [u8; QK_K / 4],
    /// Scale of the groups' scales.
    pub d: F16,
    /// Scale of the groups' mins.
    pub dmin: F16,
}

/// 256 values in 16 groups of 16: `x = d * (scale - 32) * (q - 4)`, `q` in 0 ..= 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockQ3_K {
    /// Bit `g` of byte `l` is the highest bit of value `l` of the `g`-th 32.
    pub hmask: [u8; QK_K / 8],
    /// The lower two bits, as in [`BlockQ2_K`].
    pub qs: [u8; QK_K / 4],
    /// Sixteen 6-bit scales: the lower four bits are the nibbles of the first eight bytes, low ones
    /// first; bits `2i ..` of byte `8 + j` are the upper two of scale `4i + j`.
    pub scales: [u8; 12],
    /// Scale of the scales.
    pub d: F16,
}

/// 256 values: `x = d * q`. ggml's inputs of products with K-quants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockQ8_K {
    /// The scale.
    pub d: F32,
    /// The quants.
    pub qs: [i8; QK_K],
    /// Sums of 16 quants each (little-endian); values do not need them.
    pub bsums: [[u8; 2]; HALVES],
}

/// 256 values: `x = d * (q - 1)`, `q` in 0 ..= 2, five in a byte: the first is `byte * 3 / 256`, and
/// each next one that of the byte times 3, modulo 256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockTQ1_0 {
    /// Byte `l` of the first 32 holds values `l`, `l + 32` and so on; those of the other 16 are
    /// 160 on, 16 apart.
    pub qs: [u8; (QK_K - QK_K / 64 * 4) / 5],
    /// Four values each, from 240 on, 4 apart.
    pub qh: [u8; QK_K / 64],
    /// The scale.
    pub d: F16,
}

/// 256 values: `x = d * (q - 1)`, `q` in 0 ..= 3, packed as in [`BlockQ2_K`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockTQ2_0 {
    /// Two bits a value.
    pub qs: [u8; QK_K / 4],
    /// The scale.
    pub d: F16,
}

/// The reverse of [`quarters`]; of every quant the upper six bits are dropped.
fn pack_quarters(quants: &[u8; QK_K]) -> [u8; QK_K / 4] {
    let mut out = [0; QK_K / 4];
    for (out, quants) in out.as_chunks_mut::<32>().0.iter_mut().zip(quants.as_chunks::<128>().0) {
        for (i, quants) in quants.as_chunks::<32>().0.iter().enumerate() {
            out.iter_mut().zip(quants).for_each(|(out, q)| *out |= (q & 3) << (2 * i));
        }
    }
    out
}

impl BlockQ2_K {
    /// Stores quants of 2 bits in the order of their values.
    pub fn set_quants(&mut self, quants: &[u8; QK_K]) {
        self.qs = pack_quarters(quants);
    }
}

impl BlockQ3_K {
    /// Stores quants of 3 bits in the order of their values.
    pub fn set_quants(&mut self, quants: &[u8; QK_K]) {
        self.qs = pack_quarters(quants);
        self.hmask = [0; QK_K / 8];
        for (g, quants) in quants.as_chunks::<32>().0.iter().enumerate() {
            for (high, q) in self.hmask.iter_mut().zip(quants) {
                *high |= (q >> 2 & 1) << g;
            }
        }
    }

    /// The groups' scales, each less 32.
    #[inline(always)]
    pub(crate) fn signed_scales(&self) -> [i8; HALVES] {
        let [low @ .., a, b, c, d] = self.scales;
        let low = u64::from_le_bytes(low);
        let high = u32::from_le_bytes([a, b, c, d]);
        let mut scales = [0; HALVES];
        for (i, out) in scales.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            // Four scales' lower bits: bytes of one half, nibbles of one side.
            let low = (low >> (32 * (i % 2)) >> (4 * (i / 2))) as u32 & 0x0f0f_0f0f;
            let high = (high >> (2 * i) & 0x0303_0303) << 4;
            for (scale, bits) in out.iter_mut().zip((low | high).to_le_bytes()) {
                *scale = bits.cast_signed() - 32;
            }
        }
        scales
    }

    /// Stores the groups' scales, of 6 bits each.
    pub fn set_scales(&mut self, scales: [u8; HALVES]) {
        self.scales = [0; 12];
        let (low, high) = self.scales.split_at_mut(8);
        for (i, scales) in scales.as_chunks::<4>().0.iter().enumerate() {
            let nibbles = low.as_chunks_mut::<4>().0.get_mut(i % 2).into_iter().flatten();
            for ((low, high), scale) in nibbles.zip(high.iter_mut()).zip(scales) {
                *low |= (scale & 15) << (i / 2 * 4);
                *high |= (scale >> 4 & 3) << (2 * i);
            }
        }
    }
}

#[inline(always)]
fn q2_k(block: &BlockQ2_K, out: &mut Unpacked) {
    quarters(&block.qs, &mut out.quants);
    let (d, dmin) = (block.d.get(), block.dmin.get());
    let numbers = out.scales.iter_mut().zip(&mut out.mins);
    for ((scale, min), both) in numbers.zip(&block.scales) {
        *scale = d * f32::from(both & 15);
        *min = dmin * f32::from(both >> 4);
    }
}

#[inline(always)]
fn q3_k(block: &BlockQ3_K, out: &mut Unpacked) {
    quarters(&block.qs, &mut out.quants);
    for (g, quants) in out.quants.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        for (q, high) in quants.iter_mut().zip(&block.hmask) {
            *q |= (high >> g & 1) << 2;
        }
    }
    let d = block.d.get();
    for (out, scale) in out.scales.iter_mut().zip(block.signed_scales()) {
        *out = d * f32::from(scale);
    }
}

#[inline(always)]
fn q8_k(block: &BlockQ8_K, out: &mut Unpacked) {
    out.quants = block.qs.map(|q| q.cast_unsigned() ^ 0x80);
    out.scales = [block.d.get(); HALVES];
}

/// Value number `n` of each byte.
#[inline(always)]
fn trits(bytes: &[u8], power: u8, out: &mut [u8]) {
    for (out, byte) in out.iter_mut().zip(bytes) {
        *out = ((u16::from(byte.wrapping_mul(power)) * 3) >> 8) as u8;
    }
}

#[inline(always)]
fn tq1_0(block: &BlockTQ1_0, out: &mut Unpacked) {
    let (first, second) = block.qs.split_at(32);
    let (fives, rest) = out.quants.split_at_mut(160);
    let (sixteens, fours) = rest.split_at_mut(80);
    for (out, power) in fives.chunks_mut(32).zip([1, 3, 9, 27, 81]) {
        trits(first, power, out);
    }
    for (out, power) in sixteens.chunks_mut(16).zip([1, 3, 9, 27, 81]) {
        trits(second, power, out);
    }
    for (out, power) in fours.chunks_mut(4).zip([1, 3, 9, 27]) {
        trits(&block.qh, power, out);
    }
    out.scales = [block.d.get(); HALVES];
}

#[inline(always)]
fn tq2_0(block: &BlockTQ2_0, out: &mut Unpacked) {
    quarters(&block.qs, &mut out.quants);
    out.scales = [block.d.get(); HALVES];
}

unpack_large!(BlockQ2_K, q2_k, {
    const BIAS: u8 = 0;
    const LARGEST: u8 = 3;
    const HALVES: bool = true;
    const MINS: bool = true;
});
unpack_large!(BlockQ3_K, q3_k, {
    const BIAS: u8 = 4;
    const LARGEST: u8 = 7;
    const HALVES: bool = true;
});
unpack_large!(BlockQ8_K, q8_k, {
    const BIAS: u8 = 128;
    const LARGEST: u8 = 255;
});
unpack_large!(BlockTQ1_0, tq1_0, {
    const BIAS: u8 = 1;
    const LARGEST: u8 = 2;
});
unpack_large!(BlockTQ2_0, tq2_0, {
    const BIAS: u8 = 1;
    const LARGEST: u8 = 3;
});
dequantize!(
    BlockQ2_K: QK_K,
    BlockQ3_K: QK_K,
    BlockQ8_K: QK_K,
    BlockTQ1_0: QK_K,
    BlockTQ2_0: QK_K,
);

#[cfg(test)]
mod tests {
    use super::super::unpacked::Unpack;
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked() {
        let mut out = Unpacked::ZERO;
        // Every bit of every number alone, and all of them.
        for bit in 0..6 {
            for place in 0..=QK_K {
                let value = |i| if i == place || place == QK_K { 1 << bit } else { 0 };
                let quants: [u8; QK_K] = core::array::from_fn(value);
                let mut q2 = BlockQ2_K::zeroed();
                q2.set_quants(&quants);
                BlockQ2_K::unpack(&[q2], &mut out);
                assert_eq!(out.quants, quants.map(|q| q & 3), "{bit} {place}");
                let mut q3 = BlockQ3_K::zeroed();
                q3.set_quants(&quants);
                let scales = core::array::from_fn(value);
                q3.set_scales(scales);
                q3.d = F16(0x3c00u16.to_le_bytes());
                BlockQ3_K::unpack(&[q3], &mut out);
                assert_eq!(out.quants, quants.map(|q| q & 7), "{bit} {place}");
                assert_eq!(out.scales, scales.map(|s| f32::from(s) - 32.0), "{bit} {place}");
            }
        }
    }
}
