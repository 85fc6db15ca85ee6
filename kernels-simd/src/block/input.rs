//! The quantized input block, with which quantized weights are multiplied.

use bytemuck::{Pod, Zeroable};

use super::dtype::QK;

/// Values in an [`InputBlock`]: those of a K-quant's block.
pub const INPUT_BLOCK: usize = 256;
/// Groups of [`QK`] values in an [`InputBlock`].
pub(crate) const GROUPS: usize = INPUT_BLOCK / QK;

/// 256 values of a product's input, quantized in 8 groups of 32: value `i` is
/// `d[i / 32] * qs[i]`, rounded as in Q8_0 but with the scale kept in f32.
///
/// Every quantized weight type is multiplied with this one: xIELU's square makes outliers, which
/// make one scale for 256 values inaccurate, and ggml's inputs of the K-quants have just one.
/// Scales and sums are apart from the quants so that a kernel takes those of a block in one load
/// each. A row that ends within a block fills it with zeros.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct InputBlock {
    /// The scale of each group; NaN if the group held a NaN or an infinity.
    pub(crate) d: [f32; GROUPS],
    /// Sums of 16 quants each: what a kernel needs when weights carry an offset.
    pub(crate) sums: [i16; INPUT_BLOCK / 16],
    /// The quants, -127 ..= 127.
    pub(crate) qs: [i8; INPUT_BLOCK],
}

impl InputBlock {
    /// All zeros.
    pub const ZERO: Self =
        InputBlock { d: [0.0; GROUPS], sums: [0; INPUT_BLOCK / 16], qs: [0; INPUT_BLOCK] };

    /// Blocks that a row of `cols` values takes.
    pub const fn per_row(cols: usize) -> usize {
        cols.div_ceil(INPUT_BLOCK)
    }

    /// The 256 values.
    pub fn dequantize(&self) -> [f32; INPUT_BLOCK] {
        let mut out = self.qs.map(f32::from);
        for (values, d) in out.as_chunks_mut::<QK>().0.iter_mut().zip(self.d) {
            values.iter_mut().for_each(|v| *v *= d);
        }
        out
    }

    /// The sums of the halves of group `g` (modulo 8).
    #[inline(always)]
    pub(crate) fn half_sums(&self, g: usize) -> [i16; 2] {
        let first = 2 * (g % GROUPS);
        [self.sums[first], self.sums[first + 1]]
    }

    /// Its groups: scale, the two half sums, quants.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (f32, [i16; 2], &[i8; QK])> {
        let sums = self.sums.as_chunks::<2>().0;
        self.d.iter().zip(sums).zip(self.qs.as_chunks::<QK>().0).map(|((&d, &s), qs)| (d, s, qs))
    }
}
