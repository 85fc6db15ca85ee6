//! f32 to Q8_0, scalar.

use crate::block::{BlockQ8_0, F16, GROUPS, InputBlock, QK};
use crate::generic::quantize::{BELOW_HALF, NOT_FINITE, scale};

/// See [`crate::Kernels::quantize_q8_0`].
pub(crate) fn quantize_q8_0(x: &[f32], blocks: &mut [BlockQ8_0]) {
    for (x, block) in x.as_chunks::<QK>().0.iter().zip(blocks) {
        *block = quantize_block(x);
    }
}

/// See [`crate::Kernels::quantize_input`].
pub(crate) fn quantize_groups(x: &[f32], blocks: &mut [InputBlock], first: usize) {
    for (i, x) in x.as_chunks::<QK>().0.iter().enumerate() {
        let (block, group) = ((first + i) / GROUPS, (first + i) % GROUPS);
        let Some(block) = blocks.get_mut(block) else { return };
        let (d, qs) = quantize_group(x);
        if let Some(slot) = block.d.get_mut(group) {
            *slot = d;
        }
        if let Some(slot) = block.qs.as_chunks_mut().0.get_mut(group) {
            *slot = qs;
        }
        if let Some(slot) = block.sums.as_chunks_mut().0.get_mut(group) {
            let (low, high) = qs.split_at(QK / 2);
            *slot = [low, high].map(|half| half.iter().map(|&q| i16::from(q)).sum());
        }
    }
}

fn quantize_block(x: &[f32; QK]) -> BlockQ8_0 {
    match quantize_group(x) {
        (d, _) if d.is_nan() => NOT_FINITE,
        (d, qs) => BlockQ8_0 { d: F16::from(d), qs },
    }
}

fn quantize_group(x: &[f32; QK]) -> (f32, [i8; QK]) {
    let mut amax = 0u32;
    for v in x {
        // Magnitudes of floats order like their bits, NaN above infinity.
        amax = amax.max(v.to_bits() & 0x7fff_ffff);
    }
    let (d, id) = scale(f32::from_bits(amax));
    if d.is_nan() {
        return (d, [0; QK]);
    }
    let qs = x.map(|v| {
        let t = v * id;
        // SAFETY: no NaN (`amax` would be one), and at most 127.5 and some rounding errors.
        unsafe { (t + BELOW_HALF.copysign(t)).to_int_unchecked::<i32>() as i8 }
    });
    (d, qs)
}
