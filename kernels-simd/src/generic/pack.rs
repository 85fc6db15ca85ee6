//! Weight blocks to panels, through packed tiles: 32 rows of 256 columns, four bytes of each row
//! side by side. Plain Rust that every instruction set compiles for itself.
//!
//! A tile is the bytes of its blocks in another order, the same for every instruction set. Made
//! on the fly it costs a pass over the weights for every product; packed weights
//! ([`crate::Kernels::pack`]) are kept as tiles.

#![allow(non_camel_case_types)] // the formats' names

use bytemuck::{Pod, Zeroable};

use crate::block::{BlockQ4_0, BlockQ4_K, BlockQ5_K, BlockQ6_K, BlockQ8_0, F16, GROUPS, HALVES};
use crate::generic::panel::{Panel, Quad, ROWS};

/// Unsigned bytes that weights become: value = `scale * (quant - BIAS) - min`.
pub(crate) trait Quants: Copy {
    /// Subtracted from every quant.
    const BIAS: i16;
    /// Largest quant.
    #[cfg_attr(target_arch = "wasm32", allow(dead_code))] // 16 bits hold any product there
    const LARGEST: u8;
    /// Whether scales are for 16 columns instead of 32.
    const HALVES: bool = false;
    /// Which panels have mins, for as many columns as scales.
    const MINS: Mins = Mins::None;

    /// Whether `panel`, which is of this type, has mins. Where the type says so, nothing is asked
    /// while products are summed.
    #[inline(always)]
    fn has_mins(panel: &Panel) -> bool {
        match Self::MINS {
            Mins::None => false,
            Mins::All => true,
            Mins::Some => panel.has_mins,
        }
    }
}

/// Panels of a type that have mins.
#[derive(Clone, Copy)]
pub(crate) enum Mins {
    None,
    All,
    /// Those that say so: [`Panel::has_mins`].
    Some,
}

/// How a weight type becomes bytes that are its [`Quants`].
pub(crate) trait Pack: Quants + Pod {
    /// The bytes of 32 rows of 256 columns.
    type Tile: Pod;
    /// Blocks of 256 values.
    const CHUNK: usize;

    /// Up to [`Pack::CHUNK`] blocks of eight rows to the rows from `first` on; what is missing is
    /// zero.
    fn interleave<S: Scatter>(
        s: S,
        rows: [&[Self]; SCATTERED],
        tile: &mut Self::Tile,
        first: usize,
    );
    /// The panel of a tile.
    fn expand(tile: &Self::Tile, panel: &mut Panel);
}

/// Rows whose bytes are scattered at once.
pub(crate) const SCATTERED: usize = 8;

/// Bytes of rows to a tile, as an instruction set does it.
pub(crate) trait Scatter: Copy {
    /// [`scatter`] of eight rows, to those from `first` on. They have as many bytes each.
    #[inline(always)]
    fn scatter(self, rows: [&[u8]; SCATTERED], quads: &mut [Quad], first: usize) {
        for (r, row) in rows.into_iter().enumerate() {
            scatter(row, quads, first + r);
        }
    }
}

/// A word at a time.
#[derive(Clone, Copy)]
pub(crate) struct Words32;

impl Scatter for Words32 {}

/// The bytes of a row to a tile: word `k` becomes word `r` of `quads[k]`.
#[inline(always)]
pub(crate) fn scatter(bytes: &[u8], quads: &mut [Quad], r: usize) {
    for (quad, bytes) in quads.iter_mut().zip(bytes.as_chunks::<4>().0) {
        if let Some(slot) = quad.get_mut(r) {
            *slot = *bytes;
        }
    }
}

/// A number of each of eight rows.
#[inline(always)]
fn write_rows<T>(numbers: [T; SCATTERED], rows: &mut [T; ROWS], first: usize) {
    if let Some(slots) = rows.get_mut(first..first + SCATTERED) {
        slots.iter_mut().zip(numbers).for_each(|(slot, number)| *slot = number);
    }
}

/// Numbers of a row to a tile or panel: a column of `rows`.
#[inline(always)]
pub(crate) fn scatter_column<T: Copy>(numbers: &[T], rows: &mut [[T; ROWS]], r: usize) {
    for (row, &number) in rows.iter_mut().zip(numbers) {
        if let Some(slot) = row.get_mut(r) {
            *slot = number;
        }
    }
}

/// Eight bytes at a time, sixteen times: fast on any machine, where a loop over bytes is so only
/// if the compiler finds its vectors.
type Words = [u64; ROWS / 2];

/// A byte in each of eight.
const fn eight(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// `bits >> shift & mask` in every byte; what the shift brings from the next byte is masked.
#[inline(always)]
fn bits(quad: &Quad, shift: usize, mask: u8) -> Words {
    let mut words: Words = bytemuck::cast(*quad);
    for word in &mut words {
        *word = u64::from_le(*word) >> shift & eight(mask);
    }
    words
}

/// `low | high << 4`, as a panel stores it.
#[inline(always)]
fn joined(low: Words, high: Words) -> Quad {
    let mut words = low;
    for (word, high) in words.iter_mut().zip(high) {
        *word = (*word | high << 4).to_le();
    }
    bytemuck::cast(words)
}

/// Nothing to join.
const NONE: Words = [0; ROWS / 2];

/// Halves to floats.
#[inline(always)]
fn widen(halves: &[F16; ROWS]) -> [f32; ROWS] {
    let mut out = [0.0; ROWS];
    for (out, half) in out.iter_mut().zip(halves) {
        *out = half.get();
    }
    out
}

/// 32 bytes a block.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct TileQ8_0 {
    qs: [Quad; 64],
    d: [[F16; ROWS]; GROUPS],
}

impl Quants for BlockQ8_0 {
    const BIAS: i16 = 128;
    const LARGEST: u8 = 255;
}

impl Pack for BlockQ8_0 {
    type Tile = TileQ8_0;
    const CHUNK: usize = GROUPS;

    #[inline(always)]
    fn interleave<S: Scatter>(s: S, rows: [&[Self]; SCATTERED], tile: &mut TileQ8_0, first: usize) {
        let TileQ8_0 { qs, d } = tile;
        for (g, (quads, d)) in qs.as_chunks_mut::<8>().0.iter_mut().zip(d).enumerate() {
            let blocks = rows.map(|blocks| blocks.get(g).unwrap_or(&BlockQ8_0::ZERO));
            s.scatter(blocks.map(|block| bytemuck::cast_slice(&block.qs)), quads, first);
            write_rows(blocks.map(|block| block.d), d, first);
        }
    }

    #[inline(always)]
    fn expand(tile: &TileQ8_0, panel: &mut Panel) {
        let qs = tile.qs.as_flattened().as_flattened();
        for (out, q) in panel.quants.as_flattened_mut().as_flattened_mut().iter_mut().zip(qs) {
            *out = q ^ 0x80;
        }
        for (out, d) in panel.scales.iter_mut().zip(&tile.d) {
            *out = widen(d);
        }
    }
}

/// 32 nibbles a block.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct TileQ4_0 {
    qs: [Quad; 32],
    d: [[F16; ROWS]; GROUPS],
}

impl Quants for BlockQ4_0 {
    const BIAS: i16 = 8;
    const LARGEST: u8 = 15;
}

impl Pack for BlockQ4_0 {
    type Tile = TileQ4_0;
    const CHUNK: usize = GROUPS;

    #[inline(always)]
    fn interleave<S: Scatter>(s: S, rows: [&[Self]; SCATTERED], tile: &mut TileQ4_0, first: usize) {
        let TileQ4_0 { qs, d } = tile;
        for (g, (quads, d)) in qs.as_chunks_mut::<4>().0.iter_mut().zip(d).enumerate() {
            let blocks = rows.map(|blocks| blocks.get(g).unwrap_or(&BlockQ4_0::ZERO));
            s.scatter(blocks.map(|block| &block.qs[..]), quads, first);
            write_rows(blocks.map(|block| block.d), d, first);
        }
    }

    #[inline(always)]
    fn expand(tile: &TileQ4_0, panel: &mut Panel) {
        nibbles::<4, 8>(&tile.qs, panel);
        for (out, d) in panel.scales.iter_mut().zip(&tile.d) {
            *out = widen(d);
        }
    }
}

/// `N` quads of nibbles at a time to `N` of low ones and `N` of high ones.
#[inline(always)]
fn nibbles<const N: usize, const N2: usize>(qs: &[Quad; 32], panel: &mut Panel) {
    for (out, qs) in panel.quants.as_chunks_mut::<N2>().0.iter_mut().zip(qs.as_chunks::<N>().0) {
        let [low, high] = out.as_chunks_mut::<N>().0 else { continue };
        for ((low, high), q) in low.iter_mut().zip(high).zip(qs) {
            *low = joined(bits(q, 0, 15), NONE);
            *high = joined(bits(q, 4, 15), NONE);
        }
    }
}

/// `d` and `dmin` of each row, and 6-bit scales as [`crate::block::unpack_scales`] explains them,
/// for 32 rows at once.
#[inline(always)]
fn expand_mins(d: &[[F16; 2]; ROWS], scales: &[Quad; 3], panel: &mut Panel) {
    let [scales, mins, high] = scales.each_ref().map(|quad| {
        let mut words = [0; ROWS];
        for (word, bytes) in words.iter_mut().zip(quad) {
            *word = u32::from_le_bytes(*bytes);
        }
        words
    });
    let mut factors = [[0.0f32; ROWS]; 2];
    for (r, [d, dmin]) in d.iter().enumerate() {
        (factors[0][r], factors[1][r]) = (d.get(), dmin.get());
    }
    for g in 0..GROUPS {
        let shift = 8 * (g % 4);
        let number = |word: u32, high: u32| match g {
            0..4 => word >> shift & 63,
            _ => (high >> shift & 15) | (word >> shift >> 6 & 3) << 4,
        };
        for r in 0..ROWS {
            let scale = number(scales[r], high[r]);
            let min = number(mins[r], high[r] >> 4);
            panel.scales[g][r] = factors[0][r] * scale as f32;
            panel.mins[g][r] = factors[1][r] * min as f32;
        }
    }
}

/// 256 nibbles, with mins.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct TileQ4_K {
    d: [[F16; 2]; ROWS],
    scales: [Quad; 3],
    qs: [Quad; 32],
}

impl Quants for BlockQ4_K {
    const BIAS: i16 = 0;
    const LARGEST: u8 = 15;
    const MINS: Mins = Mins::All;
}

impl Pack for BlockQ4_K {
    type Tile = TileQ4_K;
    const CHUNK: usize = 1;

    #[inline(always)]
    fn interleave<S: Scatter>(s: S, rows: [&[Self]; SCATTERED], tile: &mut TileQ4_K, first: usize) {
        let blocks = rows.map(|blocks| blocks.first().unwrap_or(&BlockQ4_K::ZERO));
        write_rows(blocks.map(|block| [block.d, block.dmin]), &mut tile.d, first);
        s.scatter(blocks.map(|block| &block.scales[..]), &mut tile.scales, first);
        s.scatter(blocks.map(|block| &block.qs[..]), &mut tile.qs, first);
    }

    #[inline(always)]
    fn expand(tile: &TileQ4_K, panel: &mut Panel) {
        nibbles::<8, 16>(&tile.qs, panel);
        expand_mins(&tile.d, &tile.scales, panel);
    }
}

/// 256 values of 5 bits, with mins.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct TileQ5_K {
    d: [[F16; 2]; ROWS],
    scales: [Quad; 3],
    qh: [Quad; 8],
    qs: [Quad; 32],
}

impl Quants for BlockQ5_K {
    const BIAS: i16 = 0;
    const LARGEST: u8 = 31;
    const MINS: Mins = Mins::All;
}

impl Pack for BlockQ5_K {
    type Tile = TileQ5_K;
    const CHUNK: usize = 1;

    #[inline(always)]
    fn interleave<S: Scatter>(s: S, rows: [&[Self]; SCATTERED], tile: &mut TileQ5_K, first: usize) {
        let blocks = rows.map(|blocks| blocks.first().unwrap_or(&BlockQ5_K::ZERO));
        write_rows(blocks.map(|block| [block.d, block.dmin]), &mut tile.d, first);
        s.scatter(blocks.map(|block| &block.scales[..]), &mut tile.scales, first);
        s.scatter(blocks.map(|block| &block.qh[..]), &mut tile.qh, first);
        s.scatter(blocks.map(|block| &block.qs[..]), &mut tile.qs, first);
    }

    #[inline(always)]
    fn expand(tile: &TileQ5_K, panel: &mut Panel) {
        for (g, out) in panel.quants.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            let qs = tile.qs.as_chunks::<8>().0.get(g / 2).into_iter().flatten();
            for ((out, qs), qh) in out.iter_mut().zip(qs).zip(&tile.qh) {
                *out = joined(bits(qs, g % 2 * 4, 15), bits(qh, g, 1));
            }
        }
        expand_mins(&tile.d, &tile.scales, panel);
    }
}

/// 256 values of 6 bits, a scale for each 16.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct TileQ6_K {
    ql: [Quad; 32],
    qh: [Quad; 16],
    scales: [[i8; ROWS]; HALVES],
    d: [F16; ROWS],
}

impl Quants for BlockQ6_K {
    const BIAS: i16 = 32;
    const LARGEST: u8 = 63;
    const HALVES: bool = true;
}

impl Pack for BlockQ6_K {
    type Tile = TileQ6_K;
    const CHUNK: usize = 1;

    #[inline(always)]
    fn interleave<S: Scatter>(s: S, rows: [&[Self]; SCATTERED], tile: &mut TileQ6_K, first: usize) {
        let blocks = rows.map(|blocks| blocks.first().unwrap_or(&BlockQ6_K::ZERO));
        s.scatter(blocks.map(|block| &block.ql[..]), &mut tile.ql, first);
        s.scatter(blocks.map(|block| &block.qh[..]), &mut tile.qh, first);
        for (r, block) in blocks.iter().enumerate() {
            scatter_column(&block.scales, &mut tile.scales, first + r);
        }
        write_rows(blocks.map(|block| block.d), &mut tile.d, first);
    }

    #[inline(always)]
    fn expand(tile: &TileQ6_K, panel: &mut Panel) {
        for (g, out) in panel.quants.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            let (half, quarter) = (g / 4, g % 4);
            let ql = tile.ql.as_chunks::<8>().0.get(2 * half + quarter % 2).into_iter().flatten();
            let qh = tile.qh.as_chunks::<8>().0.get(half).into_iter().flatten();
            for ((out, ql), qh) in out.iter_mut().zip(ql).zip(qh) {
                *out = joined(bits(ql, quarter / 2 * 4, 15), bits(qh, 2 * quarter, 3));
            }
        }
        let d = widen(&tile.d);
        for (out, scales) in panel.scales.iter_mut().zip(&tile.scales) {
            for ((out, &scale), &d) in out.iter_mut().zip(scales).zip(&d) {
                *out = d * f32::from(scale);
            }
        }
    }
}

/// Whether a tile has the bytes of its blocks.
const fn is_permutation<P: Pack>() -> bool {
    size_of::<P::Tile>() == ROWS * P::CHUNK * size_of::<P>()
        && align_of::<P::Tile>() == 1
        && align_of::<P>() == 1
}

const _: () = assert!(
    is_permutation::<BlockQ8_0>()
        && is_permutation::<BlockQ4_0>()
        && is_permutation::<BlockQ4_K>()
        && is_permutation::<BlockQ5_K>()
        && is_permutation::<BlockQ6_K>()
);
