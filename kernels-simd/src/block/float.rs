//! Floats as GGUF stores them: little-endian, at any address.

use bytemuck::{Pod, Zeroable};
use half::{bf16, f16};

/// One little-endian f32 at any address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(transparent)]
pub struct F32(pub [u8; 4]);

/// One little-endian IEEE half at any address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(transparent)]
pub struct F16(pub [u8; 2]);

/// One little-endian bfloat16 at any address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(transparent)]
pub struct BF16(pub [u8; 2]);

impl F32 {
    /// The value.
    #[inline(always)]
    pub const fn get(self) -> f32 {
        f32::from_le_bytes(self.0)
    }
}

impl From<f32> for F32 {
    fn from(x: f32) -> Self {
        F32(x.to_le_bytes())
    }
}

impl F16 {
    /// The value, exactly. Integer arithmetic, so every instruction set gives the same bits.
    #[inline(always)]
    pub const fn get(self) -> f32 {
        f16_to_f32(u16::from_le_bytes(self.0))
    }
}

impl From<f32> for F16 {
    /// Rounds to nearest, ties to even.
    fn from(x: f32) -> Self {
        F16(f16::from_f32(x).to_bits().to_le_bytes())
    }
}

impl BF16 {
    /// The value, exactly.
    #[inline(always)]
    pub const fn get(self) -> f32 {
        f32::from_bits((u16::from_le_bytes(self.0) as u32) << 16)
    }
}

impl From<f32> for BF16 {
    /// Rounds to nearest, ties to even.
    fn from(x: f32) -> Self {
        BF16(bf16::from_f32(x).to_bits().to_le_bytes())
    }
}

/// Widens an IEEE half without branches: the exponent is rebiased by a multiplication, which
/// also normalises subnormals.
#[inline(always)]
#[cfg(not(xielu_soft))]
const fn f16_to_f32(h: u16) -> f32 {
    const REBIAS: f32 = f32::from_bits((254 - 15) << 23);
    const INF_AFTER: f32 = f32::from_bits((127 + 16) << 23);
    let magnitude = f32::from_bits(((h & 0x7fff) as u32) << 13) * REBIAS;
    let mut bits = magnitude.to_bits();
    if magnitude >= INF_AFTER {
        bits |= 0xff << 23;
    }
    f32::from_bits(bits | (((h & 0x8000) as u32) << 16))
}

/// As above, for targets where a multiplication of floats is a call.
#[cfg(any(test, xielu_soft))]
const fn f16_to_f32_by_integers(h: u16) -> f32 {
    let magnitude = (h & 0x7fff) as u32;
    let bits = match magnitude {
        0 => 0,
        1..0x400 => {
            let shift = magnitude.leading_zeros() - 8;
            (magnitude << shift) + ((125 - shift) << 23)
        }
        0x400..0x7c00 => (magnitude << 13) + (112 << 23),
        _ => magnitude << 13 | 0xff << 23,
    };
    f32::from_bits(bits | ((h & 0x8000) as u32) << 16)
}
#[cfg(xielu_soft)]
use f16_to_f32_by_integers as f16_to_f32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_widens_exactly() {
        for bits in 0..=u16::MAX {
            let truth = f16::from_bits(bits).to_f32();
            let ours = F16(bits.to_le_bytes()).get();
            assert!(ours.to_bits() == truth.to_bits() || (ours.is_nan() && truth.is_nan()));
            assert_eq!(f16_to_f32_by_integers(bits).to_bits(), ours.to_bits());
            let truth = bf16::from_bits(bits).to_f32();
            let ours = BF16(bits.to_le_bytes()).get();
            assert!(ours.to_bits() == truth.to_bits() || (ours.is_nan() && truth.is_nan()));
        }
    }
}
