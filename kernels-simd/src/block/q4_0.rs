//! Q4_0: 32 nibbles a block, and a scale.

use bytemuck::{Pod, Zeroable};

use super::dtype::QK;
use super::float::F16;

/// 32 values: byte `j` holds value `j` in its low nibble and value `j + 16` in its high one;
/// `x = d * (nibble - 8)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockQ4_0 {
    /// The scale.
    pub d: F16,
    /// The packed nibbles.
    pub qs: [u8; QK / 2],
}

impl BlockQ4_0 {
    /// All zeros.
    pub const ZERO: Self = BlockQ4_0 { d: F16([0; 2]), qs: [0; QK / 2] };

    /// The 32 values.
    pub fn dequantize(&self) -> [f32; QK] {
        let d = self.d.get();
        let mut out = [0.0; QK];
        let (low, high) = out.split_at_mut(QK / 2);
        for ((lo, hi), &byte) in low.iter_mut().zip(high).zip(&self.qs) {
            *lo = d * f32::from((byte & 15) as i8 - 8);
            *hi = d * f32::from((byte >> 4) as i8 - 8);
        }
        out
    }
}
