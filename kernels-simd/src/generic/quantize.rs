//! The rule of quantization to groups of 32: the scale, rounding, and what is not finite.

use crate::block::{BlockQ8_0, F16, QK};

/// Just below a half: adding it and truncating rounds halves away from zero, as C's `roundf`,
/// for every |t| < 2^22, without the double rounding of adding a full half.
pub(crate) const BELOW_HALF: f32 = 0.499_999_97;

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
