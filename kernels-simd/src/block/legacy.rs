//! The formats of 32 values a block.

use bytemuck::{Pod, Zeroable};

use super::F16;

/// Values in one block of the 32-value formats.
pub const QK: usize = 32;

/// 32 values: `x[i] = d * qs[i]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockQ8_0 {
    /// The scale.
    pub d: F16,
    /// The quants.
    pub qs: [i8; QK],
}

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

impl BlockQ8_0 {
    /// All zeros.
    pub const ZERO: Self = BlockQ8_0 { d: F16([0; 2]), qs: [0; QK] };

    /// The 32 values.
    pub fn dequantize(&self) -> [f32; QK] {
        let d = self.d.get();
        self.qs.map(|q| d * f32::from(q))
    }
}

impl BlockQ4_0 {
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
