//! The K-quants: 256 values a block, in groups with small integer scales of their own.

#![allow(non_camel_case_types)] // the formats' names

use bytemuck::{Pod, Zeroable};

use super::dtype::QK_K;
use super::float::F16;

/// 256 values in 8 groups of 32: `x = d * scale * q - dmin * min`, `q` in 0 ..= 15.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockQ4_K {
    /// Scale of the groups' scales.
    pub d: F16,
    /// Scale of the groups' mins.
    pub dmin: F16,
    /// Eight 6-bit scales and eight 6-bit mins; see `unpack_scales`.
    pub scales: [u8; 12],
    /// Bytes `32c ..` hold group `2c` in their low nibbles and group `2c + 1` in the high ones.
    pub qs: [u8; QK_K / 2],
}

/// As [`BlockQ4_K`] with a fifth bit: `q` in 0 ..= 31.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockQ5_K {
    /// Scale of the groups' scales.
    pub d: F16,
    /// Scale of the groups' mins.
    pub dmin: F16,
    /// As in [`BlockQ4_K`].
    pub scales: [u8; 12],
    /// Bit `g` of byte `l` is the highest bit of value `l` of group `g`.
    pub qh: [u8; QK_K / 8],
    /// The lower bits, as in [`BlockQ4_K`].
    pub qs: [u8; QK_K / 2],
}

/// 256 values in 16 groups of 16: `x = d * scale * (q - 32)`, `q` in 0 ..= 63.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockQ6_K {
    /// The lower four bits: of each half (128 values), bytes `l` and `l + 32` hold values `l`
    /// and `l + 32` in their low nibbles, `l + 64` and `l + 96` in the high ones.
    pub ql: [u8; QK_K / 2],
    /// The upper two bits: of each half, byte `l` holds those of values `l`, `l + 32`, `l + 64`
    /// and `l + 96`, lowest first.
    pub qh: [u8; QK_K / 4],
    /// One scale for each 16 values.
    pub scales: [i8; QK_K / 16],
    /// Scale of the scales.
    pub d: F16,
}

/// The 6-bit scales and mins of eight groups. The first four of each are the lower bits of a
/// byte; of the others, four bits are in the last four bytes and two above the first ones.
#[inline(always)]
pub fn unpack_scales(t: &[u8; 12]) -> ([u8; 8], [u8; 8]) {
    let [a, b, c, d, e, f, g, h, rest @ ..] = *t;
    let [scales, mins, high] = [[a, b, c, d], [e, f, g, h], rest].map(u32::from_le_bytes);
    let join = |low: u32, upper: u32, lower: u32| {
        let high = (lower & 0x0f0f_0f0f) | (upper >> 2 & 0x3030_3030);
        (u64::from(low & 0x3f3f_3f3f) | u64::from(high) << 32).to_le_bytes()
    };
    (join(scales, scales, high), join(mins, mins, high >> 4))
}

/// The reverse of `unpack_scales`; of every number the upper two bits are dropped.
fn pack_scales(scales: [u8; 8], mins: [u8; 8]) -> [u8; 12] {
    let halves = |v: [u8; 8]| {
        let [a, b, c, d, e, f, g, h] = v;
        (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]))
    };
    let ((scales, high_scales), (mins, high_mins)) = (halves(scales), halves(mins));
    let join = |low: u32, high: u32| (low & 0x3f3f_3f3f) | (high & 0x3030_3030) << 2;
    let rest = (high_scales & 0x0f0f_0f0f) | (high_mins & 0x0f0f_0f0f) << 4;
    let [a, b, c, d] = join(scales, high_scales).to_le_bytes();
    let [e, f, g, h] = join(mins, high_mins).to_le_bytes();
    let [i, j, k, l] = rest.to_le_bytes();
    [a, b, c, d, e, f, g, h, i, j, k, l]
}

/// The reverse of [`nibbles`]; of every quant the upper four bits are dropped.
fn pack_nibbles(quants: &[u8; QK_K]) -> [u8; QK_K / 2] {
    let mut out = [0; QK_K / 2];
    for (out, quants) in out.as_chunks_mut::<32>().0.iter_mut().zip(quants.as_chunks::<64>().0) {
        let (low, high) = quants.split_at(32);
        for (q, (low, high)) in out.iter_mut().zip(low.iter().zip(high)) {
            *q = low & 15 | high << 4;
        }
    }
    out
}

/// A byte in each of eight.
const fn eight(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// `f` of eight bytes at a time: fast on any machine, where a loop over bytes is so only if the
/// compiler finds its vectors.
#[inline(always)]
fn in_eights<const N: usize>(bytes: &[u8; N], out: &mut [u8; N], f: impl Fn(u64) -> u64) {
    for (bytes, out) in bytes.as_chunks().0.iter().zip(out.as_chunks_mut().0) {
        *out = f(u64::from_le_bytes(*bytes)).to_le_bytes();
    }
}

/// The nibbles of 128 bytes in the order of their values.
#[inline(always)]
fn nibbles(qs: &[u8; QK_K / 2]) -> [u8; QK_K] {
    let mut out = [0; QK_K];
    for (out, qs) in out.as_chunks_mut::<64>().0.iter_mut().zip(qs.as_chunks::<32>().0) {
        let [low, high] = out.as_chunks_mut::<32>().0 else { continue };
        in_eights(qs, low, |q| q & eight(15));
        in_eights(qs, high, |q| q >> 4 & eight(15));
    }
    out
}

impl BlockQ4_K {
    /// All zeros.
    pub const ZERO: Self =
        BlockQ4_K { d: F16([0; 2]), dmin: F16([0; 2]), scales: [0; 12], qs: [0; QK_K / 2] };

    /// Stores the groups' scales and mins, of 6 bits each; the reverse of `unpack_scales`.
    pub fn set_scales(&mut self, scales: [u8; 8], mins: [u8; 8]) {
        self.scales = pack_scales(scales, mins);
    }

    /// The quants in the order of their values.
    #[inline(always)]
    pub fn quants(&self) -> [u8; QK_K] {
        nibbles(&self.qs)
    }

    /// Stores quants of 4 bits in the order of their values; the reverse of
    /// [`quants`](Self::quants).
    pub fn set_quants(&mut self, quants: &[u8; QK_K]) {
        self.qs = pack_nibbles(quants);
    }

    /// The 256 values.
    pub fn dequantize(&self) -> [f32; QK_K] {
        values(self.d, self.dmin, &self.scales, &self.quants())
    }
}

impl BlockQ5_K {
    /// All zeros.
    pub const ZERO: Self = BlockQ5_K {
        d: F16([0; 2]),
        dmin: F16([0; 2]),
        scales: [0; 12],
        qh: [0; QK_K / 8],
        qs: [0; QK_K / 2],
    };

    /// Stores the groups' scales and mins, of 6 bits each; the reverse of `unpack_scales`.
    pub fn set_scales(&mut self, scales: [u8; 8], mins: [u8; 8]) {
        self.scales = pack_scales(scales, mins);
    }

    /// The quants in the order of their values.
    #[inline(always)]
    pub fn quants(&self) -> [u8; QK_K] {
        let mut out = nibbles(&self.qs);
        for (g, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
            for (q, high) in out.as_chunks_mut().0.iter_mut().zip(self.qh.as_chunks().0) {
                let high = (u64::from_le_bytes(*high) >> g & eight(1)) << 4;
                *q = (u64::from_le_bytes(*q) | high).to_le_bytes();
            }
        }
        out
    }

    /// Stores quants of 5 bits in the order of their values; the reverse of
    /// [`quants`](Self::quants).
    pub fn set_quants(&mut self, quants: &[u8; QK_K]) {
        self.qs = pack_nibbles(quants);
        self.qh = [0; QK_K / 8];
        for (g, quants) in quants.as_chunks::<32>().0.iter().enumerate() {
            for (high, q) in self.qh.iter_mut().zip(quants) {
                *high |= (q >> 4 & 1) << g;
            }
        }
    }

    /// The 256 values.
    pub fn dequantize(&self) -> [f32; QK_K] {
        values(self.d, self.dmin, &self.scales, &self.quants())
    }
}

/// `d * scale * q - dmin * min`, group by group.
fn values(d: F16, dmin: F16, scales: &[u8; 12], quants: &[u8; QK_K]) -> [f32; QK_K] {
    let (scales, mins) = unpack_scales(scales);
    let mut out = quants.map(f32::from);
    for ((out, scale), min) in out.as_chunks_mut::<32>().0.iter_mut().zip(scales).zip(mins) {
        let (scale, min) = (d.get() * f32::from(scale), dmin.get() * f32::from(min));
        out.iter_mut().for_each(|x| *x = scale * *x - min);
    }
    out
}

impl BlockQ6_K {
    /// All zeros.
    pub const ZERO: Self =
        BlockQ6_K { ql: [0; QK_K / 2], qh: [0; QK_K / 4], scales: [0; QK_K / 16], d: F16([0; 2]) };

    /// The quants, 0 ..= 63, in the order of their values.
    #[inline(always)]
    pub fn quants(&self) -> [u8; QK_K] {
        let mut out = [0; QK_K];
        let halves = self.ql.as_chunks::<64>().0.iter().zip(self.qh.as_chunks::<32>().0);
        for (out, (ql, qh)) in out.as_chunks_mut::<128>().0.iter_mut().zip(halves) {
            for (i, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
                let [first, second] = ql.as_chunks::<32>().0 else { continue };
                let low = if i.is_multiple_of(2) { first } else { second };
                let words = low.as_chunks().0.iter().zip(qh.as_chunks().0);
                for (out, (low, high)) in out.as_chunks_mut().0.iter_mut().zip(words) {
                    let low = u64::from_le_bytes(*low) >> (i / 2 * 4) & eight(15);
                    let high = u64::from_le_bytes(*high) >> (2 * i) & eight(3);
                    *out = (low | high << 4).to_le_bytes();
                }
            }
        }
        out
    }

    /// Stores quants of 6 bits in the order of their values; the reverse of
    /// [`quants`](Self::quants).
    pub fn set_quants(&mut self, quants: &[u8; QK_K]) {
        let halves = self.ql.as_chunks_mut::<64>().0.iter_mut();
        let halves = halves.zip(self.qh.as_chunks_mut::<32>().0);
        for ((ql, qh), quants) in halves.zip(quants.as_chunks::<128>().0) {
            let [a, b, c, d] = quants.as_chunks::<32>().0 else { continue };
            let (low, high) = ql.split_at_mut(32);
            for (l, h) in qh.iter_mut().enumerate() {
                let [a, b, c, d] = [a, b, c, d].map(|q| q[l % 32]);
                low[l % 32] = a & 15 | c << 4;
                high[l % 32] = b & 15 | d << 4;
                *h = a >> 4 & 3 | (b >> 4 & 3) << 2 | (c >> 4 & 3) << 4 | (d >> 4) << 6;
            }
        }
    }

    /// The 256 values.
    pub fn dequantize(&self) -> [f32; QK_K] {
        let mut out = self.quants().map(|q| f32::from(q as i8 - 32));
        for (out, &scale) in out.as_chunks_mut::<16>().0.iter_mut().zip(&self.scales) {
            let scale = self.d.get() * f32::from(scale);
            out.iter_mut().for_each(|x| *x *= scale);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked() {
        // Every bit of every number alone, and all of them.
        for bit in 0..6 {
            for place in 0..=QK_K {
                let value = |i| if i == place || place == QK_K { 1 << bit } else { 0 };
                let quants: [u8; QK_K] = core::array::from_fn(value);
                let (mut q4, mut q5, mut q6) = (BlockQ4_K::ZERO, BlockQ5_K::ZERO, BlockQ6_K::ZERO);
                q4.set_quants(&quants);
                q5.set_quants(&quants);
                q6.set_quants(&quants);
                assert_eq!(q4.quants(), quants.map(|q| q & 15), "{bit} {place}");
                assert_eq!(q5.quants(), quants.map(|q| q & 31), "{bit} {place}");
                assert_eq!(q6.quants(), quants, "{bit} {place}");
                let (scales, mins) =
                    (core::array::from_fn(value), core::array::from_fn(|i| value(i + 8)));
                assert_eq!(unpack_scales(&pack_scales(scales, mins)), (scales, mins));
            }
        }
    }
}
