//! Adding scaled products to an accumulator, one value at a time.

use crate::block::F16;
#[cfg(xielu_soft)]
use crate::generic::soft_float;

/// `sum + a * b`, rounded twice.
#[inline(always)]
pub(crate) fn add_product(sum: f32, a: f32, b: f32) -> f32 {
    #[cfg(xielu_soft)]
    return soft_float::add_product(sum, a, b);
    #[cfg(not(xielu_soft))]
    (sum + a * b)
}

/// `sum + scale * d * q`, rounded three times.
#[inline(always)]
pub(crate) fn add_scaled(sum: f32, scale: F16, d: f32, q: i32) -> f32 {
    #[cfg(xielu_soft)]
    return soft_float::add_scaled(sum, scale, d, q);
    #[cfg(not(xielu_soft))]
    (sum + scale.get() * d * q as f32)
}
