//! f32 to Q8_0, scalar.

use crate::block::{BlockQ8_0, F16, QK};

/// Just below a half: adding it and truncating rounds halves away from zero, as C's `roundf`,
/// for every |t| < 2^22, without the double rounding of adding a full half.
pub(crate) const BELOW_HALF: f32 = 0.499_999_97;

/// See [`crate::Kernels::quantize_q8_0`].
pub(crate) fn quantize_q8_0(x: &[f32], blocks: &mut [BlockQ8_0]) {
    for (x, block) in x.as_chunks::<QK>().0.iter().zip(blocks) {
        *block = quantize_block(x);
    }
}

/// The scale and its reciprocal for a block whose largest magnitude is `amax`; `None` unless
/// finite. The reciprocal is 0 where it would overflow: f16 has rounded such a scale to 0.
#[inline(always)]
pub(crate) fn scale(amax: f32) -> Option<(F16, f32)> {
    let d = amax / 127.0;
    let id = 1.0 / d;
    amax.is_finite().then(|| (F16::from(d), if id.is_finite() { id } else { 0.0 }))
}

/// What a block with a NaN or an infinity becomes: all NaN, so that it cannot go unnoticed.
pub(crate) const NOT_FINITE: BlockQ8_0 = BlockQ8_0 { d: F16([0x00, 0x7e]), qs: [0; QK] };

fn quantize_block(x: &[f32; QK]) -> BlockQ8_0 {
    let mut amax = 0u32;
    for v in x {
        // Magnitudes of floats order like their bits, NaN above infinity.
        amax = amax.max(v.to_bits() & 0x7fff_ffff);
    }
    let Some((d, id)) = scale(f32::from_bits(amax)) else { return NOT_FINITE };
    let qs = x.map(|v| {
        let t = v * id;
        (t + BELOW_HALF.copysign(t)) as i8
    });
    BlockQ8_0 { d, qs }
}
