//! Blocks as bytes with scales and mins, for products elsewhere than on the CPU.

use super::blocks::Blocks;
use super::dtype::QK_K;
use super::unpacked::{HALVES, OneByOne, Unpack, Unpacked, for_products};

/// 256 weights: `x[i] = scales[i / 16] * quants[i] - mins[i / 16]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ByteBlock {
    /// A byte for each weight.
    pub quants: [i8; QK_K],
    /// One for each 16 weights.
    pub scales: [f32; HALVES],
    /// One for each 16 weights.
    pub mins: [f32; HALVES],
}

fn one<B: Unpack>(blocks: &[u8], out: &mut Unpacked) {
    for_products::<B>(blocks, out, OneByOne);
}

impl Blocks<'_> {
    /// Weights `256 * i ..` of the blocks; weights beyond the last block are 0. `None` for the types
    /// that products take as they are ([`DType::has_tiles`](super::DType::has_tiles) and floats).
    pub fn bytes_of(&self, i: usize) -> Option<ByteBlock> {
        // SAFETY: every machine runs `one`.
        let format = unsafe { super::format_of!(self.dtype(), one) }?;
        let mut unpacked = Unpacked::ZERO;
        format.unpack(self.bytes(), i, &mut unpacked);
        let signed = |q: u8| q.wrapping_sub(format.bias()).cast_signed();
        let Unpacked { quants, scales, mins } = unpacked;
        Some(ByteBlock { quants: quants.map(signed), scales, mins })
    }
}

#[cfg(test)]
mod tests {
    use super::super::DType;
    use super::*;

    #[test]
    fn bytes_are_the_values() {
        let mut state = 1u64;
        let mut byte = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        for dtype in DType::ALL {
            // Two blocks of 256, and a half where the format's blocks allow it.
            let blocks = (2 * QK_K + 128) / dtype.block_len();
            let mut data = std::vec![0u8; blocks * dtype.block_bytes()];
            data.fill_with(&mut byte);
            let blocks = Blocks::new(dtype, &data).unwrap();
            let len = data.len() / dtype.block_bytes() * dtype.block_len();
            let mut expected = std::vec![0.0f32; len];
            assert!(blocks.dequantize(&mut expected));
            assert_eq!(blocks.bytes_of(0).is_none(), !dtype.is_quantized() || dtype.has_tiles());
            for (i, expected) in expected.chunks(QK_K).enumerate() {
                let Some(found) = blocks.bytes_of(i) else { continue };
                for (j, &expected) in expected.iter().enumerate() {
                    let value = found.scales[j / 16] * f32::from(found.quants[j]);
                    let value = value - found.mins[j / 16];
                    let same = value == expected || value.is_nan() && expected.is_nan();
                    assert!(same, "{dtype} {i} {j}: {value}, expected {expected}");
                }
                for j in expected.len()..QK_K {
                    let value = found.scales[j / 16] * f32::from(found.quants[j]);
                    assert_eq!(value - found.mins[j / 16], 0.0, "{dtype}");
                }
            }
        }
    }
}
