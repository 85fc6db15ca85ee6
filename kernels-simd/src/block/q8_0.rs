//! Q8_0: 32 signed bytes a block, and a scale.

use bytemuck::{Pod, Zeroable};

use super::dtype::QK;
use super::float::F16;

/// 32 values: `x[i] = d * qs[i]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BlockQ8_0 {
    /// The scale.
    pub d: F16,
    /// The quants.
    pub qs: [i8; QK],
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
