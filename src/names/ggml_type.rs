//! The element types ggml numbers, known here so that any file can be listed and bounds-checked.

use core::fmt;

use crate::kernels::DType;
use crate::kernels::built::UNPACKED;

/// An element type as a GGUF file numbers it; the number may be unknown to this library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GgmlType(pub u32);

/// Number, name, values per block (a power of 2), bytes per block.
type Layout = (u32, &'static str, u16, u16);

/// ggml's table (`ggml_type` and the block structures); the gaps are types it has removed.
const LAYOUTS: [Layout; 34] = [
    (0, "F32", 1, 4),
    (1, "F16", 1, 2),
    (2, "Q4_0", 32, 18),
    (3, "Q4_1", 32, 20),
    (6, "Q5_0", 32, 22),
    (7, "Q5_1", 32, 24),
    (8, "Q8_0", 32, 34),
    (9, "Q8_1", 32, 36),
    (10, "Q2_K", 256, 84),
    (11, "Q3_K", 256, 110),
    (12, "Q4_K", 256, 144),
    (13, "Q5_K", 256, 176),
    (14, "Q6_K", 256, 210),
    (15, "Q8_K", 256, 292),
    (16, "IQ2_XXS", 256, 66),
    (17, "IQ2_XS", 256, 74),
    (18, "IQ3_XXS", 256, 98),
    (19, "IQ1_S", 256, 50),
    (20, "IQ4_NL", 32, 18),
    (21, "IQ3_S", 256, 110),
    (22, "IQ2_S", 256, 82),
    (23, "IQ4_XS", 256, 136),
    (24, "I8", 1, 1),
    (25, "I16", 1, 2),
    (26, "I32", 1, 4),
    (27, "I64", 1, 8),
    (28, "F64", 1, 8),
    (29, "IQ1_M", 256, 56),
    (30, "BF16", 1, 2),
    (34, "TQ1_0", 256, 54),
    (35, "TQ2_0", 256, 66),
    (39, "MXFP4", 32, 17),
    (40, "NVFP4", 64, 36),
    (41, "Q1_0", 128, 18),
];

/// The same without names, so that a program that prints none holds none: the number, the length of
/// a block as a power of 2, its bytes.
static SIZES: [(u8, u8, u16); LAYOUTS.len()] = {
    let mut sizes = [(0, 0, 0); LAYOUTS.len()];
    let mut i = 0;
    while i < sizes.len() {
        let (number, _, len, bytes) = LAYOUTS[i];
        assert!(len.is_power_of_two() && number <= u8::MAX as u32);
        sizes[i] = (number as u8, len.trailing_zeros() as u8, bytes);
        i += 1;
    }
    sizes
};

impl GgmlType {
    /// The type this library stores `dtype` as; `None` for a type GGUF has no number for.
    pub const fn from_dtype(dtype: DType) -> Option<Self> {
        Some(GgmlType(match dtype {
            DType::F32 => 0,
            DType::F16 => 1,
            DType::Q4_0 => 2,
            DType::Q8_0 => 8,
            DType::Q4_K => 12,
            DType::Q5_K => 13,
            DType::Q6_K => 14,
            DType::BF16 => 30,
            _ if !UNPACKED => return None,
            DType::Q4_1 => 3,
            DType::Q5_0 => 6,
            DType::Q5_1 => 7,
            DType::Q8_1 => 9,
            DType::Q2_K => 10,
            DType::Q3_K => 11,
            DType::Q8_K => 15,
            DType::IQ2_XXS => 16,
            DType::IQ2_XS => 17,
            DType::IQ3_XXS => 18,
            DType::IQ1_S => 19,
            DType::IQ4_NL => 20,
            DType::IQ3_S => 21,
            DType::IQ2_S => 22,
            DType::IQ4_XS => 23,
            DType::IQ1_M => 29,
            DType::TQ1_0 => 34,
            DType::TQ2_0 => 35,
            DType::MXFP4 => 39,
            DType::NVFP4 => 40,
            _ => return None,
        }))
    }

    /// The type as this library computes with it; `None` if it does not.
    pub const fn dtype(self) -> Option<DType> {
        Some(match self.0 {
            0 => DType::F32,
            1 => DType::F16,
            2 => DType::Q4_0,
            8 => DType::Q8_0,
            12 => DType::Q4_K,
            13 => DType::Q5_K,
            14 => DType::Q6_K,
            30 => DType::BF16,
            // What is not compiled takes no room.
            _ if !UNPACKED => return None,
            3 => DType::Q4_1,
            6 => DType::Q5_0,
            7 => DType::Q5_1,
            9 => DType::Q8_1,
            10 => DType::Q2_K,
            11 => DType::Q3_K,
            15 => DType::Q8_K,
            16 => DType::IQ2_XXS,
            17 => DType::IQ2_XS,
            18 => DType::IQ3_XXS,
            19 => DType::IQ1_S,
            20 => DType::IQ4_NL,
            21 => DType::IQ3_S,
            22 => DType::IQ2_S,
            23 => DType::IQ4_XS,
            29 => DType::IQ1_M,
            34 => DType::TQ1_0,
            35 => DType::TQ2_0,
            39 => DType::MXFP4,
            40 => DType::NVFP4,
            _ => return None,
        })
    }

    /// The name GGUF tools print; `None` for an unknown number.
    pub fn name(self) -> Option<&'static str> {
        LAYOUTS.iter().find(|(number, ..)| *number == self.0).map(|(_, name, ..)| *name)
    }

    /// Values in one block; `None` for an unknown number.
    pub fn block_len(self) -> Option<u64> {
        self.block_len_log2().map(|log2| 1 << log2)
    }

    /// Bytes of one block; `None` for an unknown number.
    pub fn block_bytes(self) -> Option<u64> {
        self.sizes().map(|(_, bytes)| bytes.into())
    }

    /// The length of a block is 2 to this power.
    pub(crate) fn block_len_log2(self) -> Option<u8> {
        self.sizes().map(|(log2, _)| log2)
    }

    fn sizes(self) -> Option<(u8, u16)> {
        let known = SIZES.iter().find(|(number, ..)| u32::from(*number) == self.0);
        known.map(|&(_, log2, bytes)| (log2, bytes))
    }
}

impl fmt::Display for GgmlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "number {}", self.0),
        }
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for GgmlType {
    fn format(&self, f: defmt::Formatter<'_>) {
        match self.name() {
            Some(name) => defmt::write!(f, "{=str}", name),
            None => defmt::write!(f, "number {=u32}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn computed_types_agree_with_the_kernels() {
        for dtype in DType::ALL {
            let id = GgmlType::from_dtype(dtype).unwrap();
            assert_eq!(id.dtype(), Some(dtype));
            assert_eq!(id.name(), Some(dtype.name()));
            assert_eq!(id.block_len(), Some(dtype.block_len() as u64));
            assert_eq!(id.block_bytes(), Some(dtype.block_bytes() as u64));
        }
    }
}
