//! Weight blocks to panels: plain Rust that every instruction set compiles for itself.

use crate::block::{BlockQ4_0, BlockQ8_0, QK};
use crate::input::{GROUPS, INPUT_BLOCK};
use crate::panel::Panel;

/// How a weight type becomes unsigned bytes: value = `scale * (quant - BIAS) - min`.
pub(crate) trait Pack {
    /// As the format stores it.
    type Block: Copy;
    /// Blocks of 256 values.
    const CHUNK: usize;
    /// Subtracted from every quant.
    const BIAS: i16;
    /// Largest quant.
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

/// One scale for each group of 32.
#[inline(always)]
fn scatter_scales(scales: &[f32; GROUPS], panel: &mut Panel, r: usize) {
    for (row, &scale) in panel.scales.iter_mut().zip(scales) {
        if let Some(slot) = row.get_mut(r) {
            *slot = scale;
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
            *bytes = block.qs.map(|q| q.cast_unsigned() ^ 0x80);
            *scale = block.d.get();
        }
        scatter(&bytes, panel, r);
        scatter_scales(&scales, panel, r);
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
            let (low, high) = bytes.split_at_mut(QK / 2);
            for ((low, high), &q) in low.iter_mut().zip(high).zip(&block.qs) {
                (*low, *high) = (q & 15, q >> 4);
            }
            *scale = block.d.get();
        }
        scatter(&bytes, panel, r);
        scatter_scales(&scales, panel, r);
    }
}
