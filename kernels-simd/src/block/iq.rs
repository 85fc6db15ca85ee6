//! IQ1, IQ2 and IQ3: 256 values a block, four or eight at a time from a list of points, with signs.

#![allow(non_camel_case_types)] // the formats' names

use bytemuck::{Pod, Zeroable};

use super::dtype::QK_K;
use super::float::F16;
use super::grids::{EIGHTS_1, EIGHTS_2_S, EIGHTS_2_XS, EIGHTS_2_XXS, FOURS_S, FOURS_XXS};
use super::unpacked::{HALVES, Unpacked, dequantize, spread_bits, unpack_large};

/// 256 values: `x = d * (s + 1/2) / 4 * point * sign`, eight values at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockIQ2_XXS {
    /// The scale.
    pub d: F16,
    /// Of each 32 values: four points of 256, and a word (little-endian) with four times 7 bits of
    /// signs, whose eighth makes their number even, and in its upper four bits `s`.
    pub qs: [[[u8; 4]; 2]; QK_K / 32],
}

/// As [`BlockIQ2_XXS`], of 512 points, with `s` for each 16 values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockIQ2_XS {
    /// The scale.
    pub d: F16,
    /// Words (little-endian) of 9 bits, the point, and 7 bits of signs.
    pub qs: [[u8; 2]; QK_K / 8],
    /// `s` as nibbles, low ones first.
    pub scales: [u8; QK_K / 32],
}

/// As [`BlockIQ2_XS`], of 1024 points, with a bit for each sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockIQ2_S {
    /// The scale.
    pub d: F16,
    /// The lower eight bits of the points.
    pub qs: [u8; QK_K / 8],
    /// The signs of eight values, the first lowest.
    pub signs: [u8; QK_K / 8],
    /// The upper two bits of four points, the first lowest.
    pub qh: [u8; QK_K / 32],
    /// `s` as nibbles, low ones first.
    pub scales: [u8; QK_K / 32],
}

/// 256 values: `x = d * (s + 1/2) / 2 * point * sign`, four values at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockIQ3_XXS {
    /// The scale.
    pub d: F16,
    /// Points of 256.
    pub qs: [[u8; 8]; QK_K / 32],
    /// A word for each 32 values, as in [`BlockIQ2_XXS`].
    pub signs: [[u8; 4]; QK_K / 32],
}

/// 256 values: `x = d * (1 + 2 * s) * point * sign`, four values at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockIQ3_S {
    /// The scale.
    pub d: F16,
    /// The lower eight bits of the points, of 512.
    pub qs: [[u8; 8]; QK_K / 32],
    /// The ninth bits of eight points, the first lowest.
    pub qh: [u8; QK_K / 32],
    /// The signs of eight values, the first lowest.
    pub signs: [[u8; 4]; QK_K / 32],
    /// `s` of each 32 values as nibbles, low ones first.
    pub scales: [u8; QK_K / 64],
}

/// 256 values: `x = d * (1 + 2 * s) * (point +- 1/8)`, eight values at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockIQ1_S {
    /// The scale.
    pub d: F16,
    /// The lower eight bits of the points, of 2048.
    pub qs: [[u8; 4]; QK_K / 32],
    /// Words (little-endian) for each 32 values: four times the upper three bits of a point, three
    /// bits of `s`, and whether 1/8 is subtracted.
    pub qh: [[u8; 2]; QK_K / 32],
}

/// As [`BlockIQ1_S`], with `s` for each 16 values and a sign of 1/8 for each eight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockIQ1_M {
    /// The lower eight bits of the points, of 2048.
    pub qs: [u8; QK_K / 8],
    /// Nibbles, low ones first: the upper three bits of a point, and whether 1/8 is subtracted.
    pub qh: [u8; QK_K / 16],
    /// Four words (little-endian) of four times three bits, `s`, and four bits of the scale, an f16,
    /// the lowest first.
    pub scales: [[u8; 2]; QK_K / 64],
}

/// The biased quants of a point, negative where bits of `signs` are ones.
#[inline(always)]
fn with_signs(point: u64, signs: u8) -> [u8; 8] {
    let signs = spread_bits(signs);
    // The complement and one: no carry, for no value of a point is 0.
    let negated = (point ^ (signs * 255)).wrapping_add(signs);
    (negated ^ u64::from_le_bytes([0x80; 8])).to_le_bytes()
}

/// Seven signs and an eighth that makes their number even.
#[inline(always)]
fn even(seven: u32) -> u8 {
    let seven = (seven & 127) as u8;
    seven | ((seven.count_ones() & 1) as u8) << 7
}

/// Four points as eight bytes.
#[inline(always)]
fn join([low, high]: [u32; 2]) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

/// Point number `i`.
#[inline(always)]
fn point<T: Copy + Default>(points: &[T], i: usize) -> T {
    points.get(i).copied().unwrap_or_default()
}

/// Numbers of four bits, low ones first.
#[inline(always)]
fn nibbles_of(bytes: &[u8]) -> impl Iterator<Item = u8> {
    bytes.iter().flat_map(|byte| [byte & 15, byte >> 4])
}

#[inline(always)]
fn iq2_xxs(block: &BlockIQ2_XXS, out: &mut Unpacked) {
    let d = block.d.get();
    let groups = out.quants.as_chunks_mut::<32>().0.iter_mut().zip(out.scales.as_chunks_mut().0);
    for ((quants, scales), [points, word]) in groups.zip(&block.qs) {
        let word = u32::from_le_bytes(*word);
        *scales = [d * (0.5 + (word >> 28) as f32) * 0.25; 2];
        for (k, (out, &p)) in quants.as_chunks_mut().0.iter_mut().zip(points).enumerate() {
            *out = with_signs(point(&EIGHTS_2_XXS, p.into()), even(word >> (7 * k)));
        }
    }
}

/// The scales of 16 values that IQ2_XS and IQ2_S have.
#[inline(always)]
fn iq2_scales(d: F16, scales: &[u8; QK_K / 32], out: &mut [f32; HALVES]) {
    for (out, s) in out.iter_mut().zip(nibbles_of(scales)) {
        *out = d.get() * (0.5 + f32::from(s)) * 0.25;
    }
}

#[inline(always)]
fn iq2_xs(block: &BlockIQ2_XS, out: &mut Unpacked) {
    iq2_scales(block.d, &block.scales, &mut out.scales);
    for (out, word) in out.quants.as_chunks_mut().0.iter_mut().zip(&block.qs) {
        let word = u16::from_le_bytes(*word);
        *out = with_signs(point(&EIGHTS_2_XS, (word & 511).into()), even((word >> 9).into()));
    }
}

#[inline(always)]
fn iq2_s(block: &BlockIQ2_S, out: &mut Unpacked) {
    iq2_scales(block.d, &block.scales, &mut out.scales);
    let fours = block.qs.as_chunks::<4>().0.iter().zip(block.signs.as_chunks::<4>().0);
    let groups = out.quants.as_chunks_mut::<32>().0.iter_mut().zip(&block.qh);
    for ((quants, high), (low, signs)) in groups.zip(fours) {
        let points = low.iter().zip(signs).enumerate();
        for (out, (k, (&low, &signs))) in quants.as_chunks_mut().0.iter_mut().zip(points) {
            let i = usize::from(low) | usize::from(high >> (2 * k) & 3) << 8;
            *out = with_signs(point(&EIGHTS_2_S, i), signs);
        }
    }
}

#[inline(always)]
fn iq3_xxs(block: &BlockIQ3_XXS, out: &mut Unpacked) {
    let d = block.d.get();
    let groups = out.quants.as_chunks_mut::<32>().0.iter_mut().zip(out.scales.as_chunks_mut().0);
    for ((quants, scales), (points, word)) in groups.zip(block.qs.iter().zip(&block.signs)) {
        let word = u32::from_le_bytes(*word);
        *scales = [d * (0.5 + (word >> 28) as f32) * 0.5; 2];
        let pairs = points.as_chunks::<2>().0.iter().enumerate();
        for (out, (k, pair)) in quants.as_chunks_mut().0.iter_mut().zip(pairs) {
            let point = join(pair.map(|p| point(&FOURS_XXS, p.into())));
            *out = with_signs(point, even(word >> (7 * k)));
        }
    }
}

#[inline(always)]
fn iq3_s(block: &BlockIQ3_S, out: &mut Unpacked) {
    let d = block.d.get();
    let places = out.quants.as_chunks_mut::<32>().0.iter_mut().zip(out.scales.as_chunks_mut().0);
    let groups = places.zip(nibbles_of(&block.scales));
    let points = block.qs.iter().zip(&block.qh).zip(&block.signs);
    for (((quants, scales), s), ((low, &high), signs)) in groups.zip(points) {
        *scales = [d * f32::from(1 + 2 * s); 2];
        let pairs = low.as_chunks::<2>().0.iter().zip(signs).enumerate();
        for (out, (k, (&[a, b], &signs))) in quants.as_chunks_mut().0.iter_mut().zip(pairs) {
            let high = usize::from(high) >> (2 * k);
            let (a, b) = (usize::from(a) | (high & 1) << 8, usize::from(b) | (high >> 1 & 1) << 8);
            *out = with_signs(join([point(&FOURS_S, a), point(&FOURS_S, b)]), signs);
        }
    }
}

/// Eight times `point +- 1/8`, plus 9.
#[inline(always)]
fn shifted(i: usize, minus: bool) -> [u8; 8] {
    let delta = if minus { 0 } else { u64::from_le_bytes([2; 8]) };
    (point(&EIGHTS_1, i) + delta).to_le_bytes()
}

#[inline(always)]
fn iq1_s(block: &BlockIQ1_S, out: &mut Unpacked) {
    let d = block.d.get();
    let groups = out.quants.as_chunks_mut::<32>().0.iter_mut().zip(out.scales.as_chunks_mut().0);
    for ((quants, scales), (low, word)) in groups.zip(block.qs.iter().zip(&block.qh)) {
        let word = u16::from_le_bytes(*word);
        *scales = [d * f32::from(2 * (word >> 12 & 7) + 1) * 0.125; 2];
        for (k, (out, &low)) in quants.as_chunks_mut().0.iter_mut().zip(low).enumerate() {
            let i = usize::from(low) | usize::from(word >> (3 * k) & 7) << 8;
            *out = shifted(i, word >> 15 != 0);
        }
    }
}

#[inline(always)]
fn iq1_m(block: &BlockIQ1_M, out: &mut Unpacked) {
    let words = block.scales.map(u16::from_le_bytes);
    let [a, b, c, e] = words.map(|word| word >> 12);
    let d = F16((a | b << 4 | c << 8 | e << 12).to_le_bytes()).get();
    for (out, word) in out.scales.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        for (k, scale) in out.iter_mut().enumerate() {
            *scale = d * f32::from(2 * (word >> (3 * k) & 7) + 1) * 0.125;
        }
    }
    let points = block.qs.iter().zip(nibbles_of(&block.qh));
    for (out, (&low, high)) in out.quants.as_chunks_mut().0.iter_mut().zip(points) {
        *out = shifted(usize::from(low) | usize::from(high & 7) << 8, high & 8 != 0);
    }
}

/// Implements [`Unpack`](super::unpacked::Unpack) for points with signs.
macro_rules! unpack_points {
    ($($block:ident: $unpack:ident $(, $halves:ident)?;)+) => { $(
        unpack_large!(
            $block,
            $unpack,
            { const BIAS: u8 = 128;
            const LARGEST: u8 = 255;
            $(const $halves: bool = true;)? });
    )+ };
}

unpack_points!(
    BlockIQ2_XXS: iq2_xxs;
    BlockIQ2_XS: iq2_xs, HALVES;
    BlockIQ2_S: iq2_s, HALVES;
    BlockIQ3_XXS: iq3_xxs;
    BlockIQ3_S: iq3_s;
);
unpack_large!(BlockIQ1_S, iq1_s, {
    const BIAS: u8 = 9;
    const LARGEST: u8 = 18;
});
unpack_large!(BlockIQ1_M, iq1_m, {
    const BIAS: u8 = 9;
    const LARGEST: u8 = 18;
    const HALVES: bool = true;
});
dequantize!(
    BlockIQ2_XXS: QK_K,
    BlockIQ2_XS: QK_K,
    BlockIQ2_S: QK_K,
    BlockIQ3_XXS: QK_K,
    BlockIQ3_S: QK_K,
    BlockIQ1_S: QK_K,
    BlockIQ1_M: QK_K,
);
