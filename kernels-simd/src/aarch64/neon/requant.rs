//! f32 to Q8_0 with NEON; the same bytes as [`crate::scalar::requant`].

use core::arch::aarch64::*;

use crate::aarch64::simd;
use crate::block::{BlockQ8_0, F16, QK};
use crate::input::{GROUPS, InputBlock};
use crate::scalar::requant::{NOT_FINITE, scale};

/// See [`crate::Kernels::quantize_q8_0`].
pub(crate) fn quantize_q8_0(x: &[f32], blocks: &mut [BlockQ8_0]) {
    for (x, block) in x.as_chunks::<QK>().0.iter().zip(blocks) {
        let (d, quants) = quantize_group(x);
        if d.is_nan() {
            *block = NOT_FINITE;
            continue;
        }
        block.d = F16::from(d);
        store(quants, &mut block.qs);
    }
}

/// See [`crate::Kernels::quantize_input`].
pub(crate) fn quantize_groups(x: &[f32], blocks: &mut [InputBlock], first: usize) {
    for (i, x) in x.as_chunks::<QK>().0.iter().enumerate() {
        let (block, group) = ((first + i) / GROUPS, (first + i) % GROUPS);
        let Some(block) = blocks.get_mut(block) else { return };
        let (d, quants) = quantize_group(x);
        if let Some(slot) = block.d.get_mut(group) {
            *slot = d;
        }
        if let Some(slot) = block.qs.as_chunks_mut().0.get_mut(group) {
            store(quants, slot);
        }
        if let Some(slot) = block.sums.as_chunks_mut().0.get_mut(group) {
            // Sixteen quants add up to 16 * 127 at most.
            *slot = quants.map(|half| simd!(vaddlvq_s8(half)));
        }
    }
}

/// The scale and the 32 quants, which are 0 under a NaN scale.
#[inline(always)]
fn quantize_group(x: &[f32; QK]) -> (f32, [int8x16_t; 2]) {
    let v = load32(x);
    let (d, id) = scale(largest_magnitude(v));
    if d.is_nan() {
        return (d, [simd!(vdupq_n_s8(0)); 2]);
    }
    (d, round32(v, id))
}

#[inline(always)]
fn load32(x: &[f32; QK]) -> [float32x4_t; 8] {
    let mut v = [simd!(vdupq_n_f32(0.0)); 8];
    for (v, x) in v.iter_mut().zip(x.as_chunks::<4>().0) {
        // SAFETY: the array holds the 4 values that are read; the target has NEON.
        *v = unsafe { vld1q_f32(x.as_ptr()) };
    }
    v
}

/// Compared as integers, which orders magnitudes and puts NaN above infinity.
#[inline(always)]
fn largest_magnitude(v: [float32x4_t; 8]) -> f32 {
    let [a, b, c, d, e, f, g, h] = v.map(|v| simd!(vreinterpretq_u32_f32(vabsq_f32(v))));
    f32::from_bits(simd!({
        let (ab, cd) = (vmaxq_u32(a, b), vmaxq_u32(c, d));
        let (ef, gh) = (vmaxq_u32(e, f), vmaxq_u32(g, h));
        vmaxvq_u32(vmaxq_u32(vmaxq_u32(ab, cd), vmaxq_u32(ef, gh)))
    }))
}

/// Scales, rounds halves away from zero and packs to bytes in order.
#[inline(always)]
fn round32(v: [float32x4_t; 8], id: f32) -> [int8x16_t; 2] {
    let [a, b, c, d, e, f, g, h] = v.map(|v| simd!(vcvtaq_s32_f32(vmulq_n_f32(v, id))));
    let words = |a, b| simd!(vmovn_high_s32(vmovn_s32(a), b));
    let bytes = |a, b| simd!(vmovn_high_s16(vmovn_s16(a), b));
    [bytes(words(a, b), words(c, d)), bytes(words(e, f), words(g, h))]
}

#[inline(always)]
fn store([low, high]: [int8x16_t; 2], qs: &mut [i8; QK]) {
    let p = qs.as_mut_ptr();
    // SAFETY: the array holds the 32 bytes that are written; the target has NEON.
    unsafe {
        vst1q_s8(p, low);
        vst1q_s8(p.add(16), high);
    }
}
