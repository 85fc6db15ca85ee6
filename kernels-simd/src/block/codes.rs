//! IQ4_NL, IQ4_XS, MXFP4 and NVFP4: 4-bit codes of values that are not evenly spaced.

#![allow(non_camel_case_types)] // the formats' names

use bytemuck::{Pod, Zeroable};

use super::dtype::{QK, QK_K};
use super::float::F16;
use super::unpacked::{Small, Unpacked, dequantize, nibbles, unpack_large, unpack_small};

/// The values of IQ4_NL's and IQ4_XS's codes, in order.
pub const IQ4_VALUES: [i8; 16] =
    [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];
/// Twice the values of MXFP4's and NVFP4's codes: OCP's E2M1 (Microscaling Formats 1.0, 5.3.3).
pub const FP4_VALUES: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

/// [`IQ4_VALUES`] plus 128.
const IQ4: [u8; 16] = biased(IQ4_VALUES, i8::MIN.unsigned_abs());
/// What [`FP4`] adds.
const FP4_BIAS: u8 = 12;
/// [`FP4_VALUES`] plus 12.
const FP4: [u8; 16] = biased(FP4_VALUES, FP4_BIAS);

const fn biased(values: [i8; 16], bias: u8) -> [u8; 16] {
    let mut out = [0; 16];
    let mut i = 0;
    while i < out.len() {
        out[i] = values[i].cast_unsigned().wrapping_add(bias);
        i += 1;
    }
    out
}

/// 32 values: `x = d * value[code]`, of 16 values that are denser near zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockIQ4_NL {
    /// The scale.
    pub d: F16,
    /// Codes, in the order of Q4_0's nibbles.
    pub qs: [u8; QK / 2],
}

/// 256 values: `x = d * (s - 32) * value[code]`, the values of [`BlockIQ4_NL`], `s` of 6 bits for each
/// 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockIQ4_XS {
    /// Scale of the scales.
    pub d: F16,
    /// Bits `2g ..` (little-endian) are the upper two of scale `g`.
    pub scales_h: [u8; 2],
    /// The lower four: scale `2i` in the low nibble of byte `i`, `2i + 1` in the high one.
    pub scales_l: [u8; QK_K / 64],
    /// Codes of each 32 values, in the order of Q4_0's nibbles.
    pub qs: [[u8; QK / 2]; QK_K / QK],
}

/// 32 values: `x = 2^(e - 127) * value[code]`, the values of E2M1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockMXFP4 {
    /// The exponent (E8M0).
    pub e: u8,
    /// Codes, in the order of Q4_0's nibbles.
    pub qs: [u8; QK / 2],
}

/// 64 values: `x = d * value[code]`, the values of E2M1, `d` for each 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockNVFP4 {
    /// Scales as unsigned floats of 4 bits of exponent and 3 of mantissa (E4M3).
    pub d: [u8; 4],
    /// Codes of each 16 values: the first eight in the low nibbles.
    pub qs: [[u8; 8]; 4],
}

impl Small for BlockIQ4_NL {
    #[inline(always)]
    fn unpack_32(&self, quants: &mut [u8; QK]) -> [f32; 2] {
        nibbles(&self.qs, quants);
        [self.d.get(), 0.0]
    }
}

impl Small for BlockMXFP4 {
    /// Half of the scale, for values that are twice theirs.
    #[inline(always)]
    fn unpack_32(&self, quants: &mut [u8; QK]) -> [f32; 2] {
        nibbles(&self.qs, quants);
        [self.half_scale(), 0.0]
    }
}

impl BlockMXFP4 {
    /// `2^(e - 128)`: half of the scale, which goes with twice the values ([`FP4_VALUES`]).
    #[inline(always)]
    pub const fn half_scale(&self) -> f32 {
        let e = self.e as u32;
        f32::from_bits(if e < 2 { 0x0020_0000 << e } else { (e - 1) << 23 })
    }
}

impl BlockIQ4_XS {
    /// The scale of each 32 values.
    #[inline(always)]
    pub(crate) fn scales(&self) -> [f32; QK_K / QK] {
        let (d, high) = (self.d.get(), u16::from_le_bytes(self.scales_h));
        let low = u32::from_le_bytes(self.scales_l);
        let mut scales = [0.0; QK_K / QK];
        for (g, scale) in scales.iter_mut().enumerate() {
            let bits = (low >> (4 * g) & 15) as i16 | (high >> (2 * g) & 3).cast_signed() << 4;
            *scale = d * f32::from(bits - 32);
        }
        scales
    }
}

#[inline(always)]
fn iq4_xs(block: &BlockIQ4_XS, out: &mut Unpacked) {
    let groups = out.quants.as_chunks_mut().0.iter_mut().zip(&block.qs);
    let scales = out.scales.as_chunks_mut().0.iter_mut().zip(block.scales());
    for ((scales, scale), (quants, qs)) in scales.zip(groups) {
        nibbles(qs, quants);
        *scales = [scale; 2];
    }
}

/// Half of an unsigned E4M3, for values that are twice theirs; 0x7f, which would be NaN, is 0.
#[inline(always)]
fn half_of_e4m3(x: u8) -> f32 {
    let (exponent, mantissa) = (u32::from(x >> 3 & 15), f32::from(x & 7));
    match exponent {
        _ if x == 0x7f => 0.0,
        0 => mantissa * (1.0 / 1024.0),
        // 2^(exponent - 7), halved.
        _ => (1.0 + mantissa / 8.0) * f32::from_bits((exponent + 119) << 23),
    }
}

unpack_small!(BlockIQ4_NL, {
    const BIAS: u8 = 128;
    const LARGEST: u8 = 255;
    const CODES: Option<&'static [u8; 16]> = Some(&IQ4);
});
unpack_large!(BlockIQ4_XS, iq4_xs, {
    const BIAS: u8 = 128;
    const LARGEST: u8 = 255;
    const CODES: Option<&'static [u8; 16]> = Some(&IQ4);
});
unpack_small!(BlockMXFP4, {
    const BIAS: u8 = FP4_BIAS;
    const LARGEST: u8 = 2 * FP4_BIAS;
    const CODES: Option<&'static [u8; 16]> = Some(&FP4);
});

impl super::unpacked::Unpack for BlockNVFP4 {
    const CHUNK: usize = 4 * size_of::<BlockNVFP4>();
    const BIAS: u8 = FP4_BIAS;
    const LARGEST: u8 = 2 * FP4_BIAS;
    const CODES: Option<&'static [u8; 16]> = Some(&FP4);
    const HALVES: bool = true;

    #[inline(always)]
    fn unpack(blocks: &[Self], out: &mut Unpacked) {
        if blocks.len() < 4 {
            out.clear();
        }
        let numbers = blocks.iter().flat_map(|block| block.d.iter().zip(&block.qs));
        let places = out.quants.as_chunks_mut::<16>().0.iter_mut().zip(&mut out.scales);
        for ((&d, qs), (quants, scale)) in numbers.zip(places) {
            *scale = half_of_e4m3(d);
            let (low, high) = quants.split_at_mut(8);
            for ((low, high), q) in low.iter_mut().zip(high).zip(qs) {
                (*low, *high) = (q & 15, q >> 4);
            }
        }
    }
}

dequantize!(BlockIQ4_NL: QK, BlockIQ4_XS: QK_K, BlockMXFP4: QK, BlockNVFP4: 64);
