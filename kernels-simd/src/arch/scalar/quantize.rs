//! f32 to Q8_0, scalar.

use crate::block::{BlockQ8_0, F16, GROUPS, InputBlock, QK};

/// Just below a half: adding it and truncating rounds halves away from zero, as C's `roundf`,
/// for every |t| < 2^22, without the double rounding of adding a full half.
pub(crate) const BELOW_HALF: f32 = 0.499_999_97;

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

/// The scale of a group whose largest magnitude is `amax`, and the factor that takes values to
/// quants: 0 where it would overflow (the values are then far below what any weight could make
/// visible), and where the group holds a NaN or an infinity, whose scale is NaN so that it cannot
/// go unnoticed.
#[inline(always)]
pub(crate) fn scale(amax: f32) -> (f32, f32) {
    let d = amax / 127.0;
    let id = 1.0 / d;
    match (amax.is_finite(), id.is_finite()) {
        (true, true) => (d, id),
        (true, false) => (0.0, 0.0),
        (false, _) => (f32::NAN, 0.0),
    }
}

/// What a Q8_0 block with a NaN or an infinity becomes: all NaN.
pub(crate) const NOT_FINITE: BlockQ8_0 = BlockQ8_0 { d: F16([0x00, 0x7e]), qs: [0; QK] };

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
