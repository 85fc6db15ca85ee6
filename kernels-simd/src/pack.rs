//! Weight blocks to panels: plain Rust that every instruction set compiles for itself.

#![allow(non_camel_case_types)] // the formats' names

use crate::block::{BlockQ4_0, BlockQ4_K, BlockQ5_K, BlockQ6_K, BlockQ8_0, F16, QK, unpack_scales};
use crate::input::{GROUPS, INPUT_BLOCK};
use crate::panel::{HALVES, Panel, ROWS};

/// How a weight type becomes unsigned bytes: value = `scale * (quant - BIAS) - min`.
pub(crate) trait Pack {
    /// As the format stores it.
    type Block: Copy;
    /// Blocks of 256 values.
    const CHUNK: usize;
    /// Subtracted from every quant.
    const BIAS: i16;
    /// Largest quant.
    #[cfg_attr(target_arch = "wasm32", allow(dead_code))] // 16 bits hold any product there
    const LARGEST: u8;
    /// Whether scales are for 16 columns instead of 32.
    const HALVES: bool = false;
    /// Whether there are mins.
    const MINS: bool = false;

    /// Up to [`Pack::CHUNK`] blocks of row `r`; what is missing is zero.
    fn pack(blocks: &[Self::Block], panel: &mut Panel, r: usize);
}

/// Bytes to where a panel wants them.
#[inline(always)]
fn scatter(bytes: &[u8; INPUT_BLOCK], panel: &mut Panel, r: usize) {
    for (quads, &bytes) in panel.quants.iter_mut().zip(bytes.as_chunks::<4>().0) {
        if let Some(slot) = quads.get_mut(r) {
            *slot = bytes;
        }
    }
}

/// One number for each group (or half) of a row: a column of a panel's scales or mins.
#[inline(always)]
fn scatter_column(numbers: &[f32], rows: &mut [[f32; ROWS]], r: usize) {
    for (row, &number) in rows.iter_mut().zip(numbers) {
        if let Some(slot) = row.get_mut(r) {
            *slot = number;
        }
    }
}

/// 32 bytes a block.
pub(crate) struct PackQ8_0;

impl Pack for PackQ8_0 {
    type Block = BlockQ8_0;
    const CHUNK: usize = GROUPS;
    const BIAS: i16 = 128;
    const LARGEST: u8 = 255;

    #[inline(always)]
    fn pack(blocks: &[BlockQ8_0], panel: &mut Panel, r: usize) {
        let mut bytes = [0; INPUT_BLOCK];
        let mut scales = [0.0; GROUPS];
        let slots = bytes.as_chunks_mut::<QK>().0.iter_mut().zip(&mut scales);
        for ((bytes, scale), block) in slots.zip(blocks) {
            for (byte, &q) in bytes.iter_mut().zip(&block.qs) {
                *byte = q.cast_unsigned() ^ 0x80;
            }
            *scale = block.d.get();
        }
        scatter(&bytes, panel, r);
        scatter_column(&scales, &mut panel.scales, r);
    }
}

/// 32 nibbles a block.
pub(crate) struct PackQ4_0;

impl Pack for PackQ4_0 {
    type Block = BlockQ4_0;
    const CHUNK: usize = GROUPS;
    const BIAS: i16 = 8;
    const LARGEST: u8 = 15;

    #[inline(always)]
    fn pack(blocks: &[BlockQ4_0], panel: &mut Panel, r: usize) {
        let mut bytes = [0; INPUT_BLOCK];
        let mut scales = [0.0; GROUPS];
        let slots = bytes.as_chunks_mut::<QK>().0.iter_mut().zip(&mut scales);
        for ((bytes, scale), block) in slots.zip(blocks) {
            let q = u128::from_le_bytes(block.qs);
            let mask = u128::from_ne_bytes([15; QK / 2]);
            if let [low, high] = bytes.as_chunks_mut().0 {
                (*low, *high) = ((q & mask).to_le_bytes(), (q >> 4 & mask).to_le_bytes());
            }
            *scale = block.d.get();
        }
        scatter(&bytes, panel, r);
        scatter_column(&scales, &mut panel.scales, r);
    }
}

/// Scales and mins of a block with 6-bit ones.
#[inline(always)]
fn scatter_mins(d: F16, dmin: F16, scales: &[u8; 12], panel: &mut Panel, r: usize) {
    let (scales, mins) = unpack_scales(scales);
    let (d, dmin) = (d.get(), dmin.get());
    scatter_column(&scales.map(|s| d * f32::from(s)), &mut panel.scales, r);
    scatter_column(&mins.map(|m| dmin * f32::from(m)), &mut panel.mins, r);
}

/// 256 nibbles, with mins.
pub(crate) struct PackQ4_K;

impl Pack for PackQ4_K {
    type Block = BlockQ4_K;
    const CHUNK: usize = 1;
    const BIAS: i16 = 0;
    const LARGEST: u8 = 15;
    const MINS: bool = true;

    #[inline(always)]
    fn pack(blocks: &[BlockQ4_K], panel: &mut Panel, r: usize) {
        let block = blocks.first().unwrap_or(&BlockQ4_K::ZERO);
        scatter(&block.quants(), panel, r);
        scatter_mins(block.d, block.dmin, &block.scales, panel, r);
    }
}

/// 256 values of 5 bits, with mins.
pub(crate) struct PackQ5_K;

impl Pack for PackQ5_K {
    type Block = BlockQ5_K;
    const CHUNK: usize = 1;
    const BIAS: i16 = 0;
    const LARGEST: u8 = 31;
    const MINS: bool = true;

    #[inline(always)]
    fn pack(blocks: &[BlockQ5_K], panel: &mut Panel, r: usize) {
        let block = blocks.first().unwrap_or(&BlockQ5_K::ZERO);
        scatter(&block.quants(), panel, r);
        scatter_mins(block.d, block.dmin, &block.scales, panel, r);
    }
}

/// 256 values of 6 bits, a scale for each 16.
pub(crate) struct PackQ6_K;

impl Pack for PackQ6_K {
    type Block = BlockQ6_K;
    const CHUNK: usize = 1;
    const BIAS: i16 = 32;
    const LARGEST: u8 = 63;
    const HALVES: bool = true;

    #[inline(always)]
    fn pack(blocks: &[BlockQ6_K], panel: &mut Panel, r: usize) {
        let block = blocks.first().unwrap_or(&BlockQ6_K::ZERO);
        scatter(&block.quants(), panel, r);
        let d = block.d.get();
        let mut scales = [0.0; HALVES];
        for (scale, &s) in scales.iter_mut().zip(&block.scales) {
            *scale = d * f32::from(s);
        }
        scatter_column(&scales, &mut panel.scales, r);
    }
}
