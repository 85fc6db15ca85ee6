//! The weight formats: element types and quantized blocks exactly as GGUF stores them.
//!
//! Every type here has alignment 1, so a byte slice at any address can be viewed as blocks
//! without a copy. Source of the layouts: ggml's format document (GGUF v3).

use bytemuck::{Pod, Zeroable};
use half::{bf16, f16};

/// How the elements of a tensor are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DType {
    /// 32-bit IEEE float.
    F32,
    /// 16-bit IEEE float.
    F16,
    /// bfloat16: the upper half of an f32.
    BF16,
    /// 32 values a block: an f16 scale and 32 signed bytes.
    Q8_0,
    /// 32 values a block: an f16 scale and 32 nibbles.
    Q4_0,
}

impl DType {
    /// Every type this crate computes with.
    pub const ALL: [DType; 5] = [DType::F32, DType::F16, DType::BF16, DType::Q8_0, DType::Q4_0];

    /// Values in one block (1 for the float types).
    pub const fn block_len(self) -> usize {
        match self {
            DType::F32 | DType::F16 | DType::BF16 => 1,
            DType::Q8_0 | DType::Q4_0 => QK,
        }
    }

    /// Bytes of one block.
    pub const fn block_bytes(self) -> usize {
        match self {
            DType::F32 => 4,
            DType::F16 | DType::BF16 => 2,
            DType::Q8_0 => 34,
            DType::Q4_0 => 18,
        }
    }

    /// Whether dot products take their other operand as [`BlockQ8_0`] blocks (else as f32).
    pub const fn is_quantized(self) -> bool {
        matches!(self, DType::Q8_0 | DType::Q4_0)
    }

    /// Bytes of one row of `cols` values; `None` if `cols` is not a multiple of the block or the
    /// size does not fit `usize`.
    pub const fn row_bytes(self, cols: usize) -> Option<usize> {
        if !cols.is_multiple_of(self.block_len()) {
            return None;
        }
        (cols / self.block_len()).checked_mul(self.block_bytes())
    }

    /// The name GGUF tools print.
    pub const fn name(self) -> &'static str {
        match self {
            DType::F32 => "F32",
            DType::F16 => "F16",
            DType::BF16 => "BF16",
            DType::Q8_0 => "Q8_0",
            DType::Q4_0 => "Q4_0",
        }
    }
}

impl core::fmt::Display for DType {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.name())
    }
}

/// Values in one block of the 32-value formats.
pub const QK: usize = 32;

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

/// Borrowed blocks of one type, viewed in place.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Blocks<'w> {
    /// See [`DType::F32`].
    F32(&'w [F32]),
    /// See [`DType::F16`].
    F16(&'w [F16]),
    /// See [`DType::BF16`].
    BF16(&'w [BF16]),
    /// See [`DType::Q8_0`].
    Q8_0(&'w [BlockQ8_0]),
    /// See [`DType::Q4_0`].
    Q4_0(&'w [BlockQ4_0]),
}

impl<'w> Blocks<'w> {
    /// Views `bytes` as blocks of `dtype`; `None` if the length is not a whole number of blocks.
    pub fn new(dtype: DType, bytes: &'w [u8]) -> Option<Self> {
        Some(match dtype {
            DType::F32 => Blocks::F32(bytemuck::try_cast_slice(bytes).ok()?),
            DType::F16 => Blocks::F16(bytemuck::try_cast_slice(bytes).ok()?),
            DType::BF16 => Blocks::BF16(bytemuck::try_cast_slice(bytes).ok()?),
            DType::Q8_0 => Blocks::Q8_0(bytemuck::try_cast_slice(bytes).ok()?),
            DType::Q4_0 => Blocks::Q4_0(bytemuck::try_cast_slice(bytes).ok()?),
        })
    }

    /// The element type.
    pub const fn dtype(&self) -> DType {
        match self {
            Blocks::F32(_) => DType::F32,
            Blocks::F16(_) => DType::F16,
            Blocks::BF16(_) => DType::BF16,
            Blocks::Q8_0(_) => DType::Q8_0,
            Blocks::Q4_0(_) => DType::Q4_0,
        }
    }

    /// `x[i] *= self[i]`, for float types; `false` (and nothing written) for quantized ones or
    /// another length.
    pub fn multiply_into(&self, x: &mut [f32]) -> bool {
        fn each<B: Copy>(w: &[B], x: &mut [f32], get: impl Fn(B) -> f32) -> bool {
            let fits = w.len() == x.len();
            if fits {
                x.iter_mut().zip(w).for_each(|(x, &w)| *x *= get(w));
            }
            fits
        }
        match self {
            Blocks::F32(w) => each(w, x, F32::get),
            Blocks::F16(w) => each(w, x, F16::get),
            Blocks::BF16(w) => each(w, x, BF16::get),
            Blocks::Q8_0(_) | Blocks::Q4_0(_) => false,
        }
    }

    /// Writes the values as f32; `false` (and nothing written) if `out` has another length.
    pub fn dequantize(&self, out: &mut [f32]) -> bool {
        fn each<B: Copy>(src: &[B], out: &mut [f32], get: impl Fn(B) -> f32) -> bool {
            if src.len() != out.len() {
                return false;
            }
            out.iter_mut().zip(src).for_each(|(o, &s)| *o = get(s));
            true
        }
        fn block<B>(src: &[B], out: &mut [f32], get: impl Fn(&B) -> [f32; QK]) -> bool {
            let (chunks, rest) = out.as_chunks_mut::<QK>();
            if !rest.is_empty() || chunks.len() != src.len() {
                return false;
            }
            chunks.iter_mut().zip(src).for_each(|(o, s)| *o = get(s));
            true
        }
        match self {
            Blocks::F32(b) => each(b, out, F32::get),
            Blocks::F16(b) => each(b, out, F16::get),
            Blocks::BF16(b) => each(b, out, BF16::get),
            Blocks::Q8_0(b) => block(b, out, BlockQ8_0::dequantize),
            Blocks::Q4_0(b) => block(b, out, BlockQ4_0::dequantize),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_widens_exactly() {
        for bits in 0..=u16::MAX {
            let truth = f16::from_bits(bits).to_f32();
            let ours = F16(bits.to_le_bytes()).get();
            assert!(ours.to_bits() == truth.to_bits() || (ours.is_nan() && truth.is_nan()));
            let truth = bf16::from_bits(bits).to_f32();
            let ours = BF16(bits.to_le_bytes()).get();
            assert!(ours.to_bits() == truth.to_bits() || (ours.is_nan() && truth.is_nan()));
        }
    }

    #[test]
    fn sizes_and_alignments_match_the_format() {
        fn is<T>(dtype: DType) {
            assert_eq!(size_of::<T>(), dtype.block_bytes());
            assert_eq!(align_of::<T>(), 1);
        }
        is::<F32>(DType::F32);
        is::<F16>(DType::F16);
        is::<BF16>(DType::BF16);
        is::<BlockQ8_0>(DType::Q8_0);
        is::<BlockQ4_0>(DType::Q4_0);
        assert_eq!(DType::Q4_0.row_bytes(33), None);
        assert_eq!(DType::F32.row_bytes(usize::MAX), None);
    }

    #[test]
    fn partial_blocks_are_refused() {
        assert!(Blocks::new(DType::Q8_0, &[0; 33]).is_none());
        assert!(Blocks::new(DType::F32, &[0; 6]).is_none());
        let bytes = [0u8; 68];
        let blocks = Blocks::new(DType::Q8_0, &bytes).unwrap();
        assert!(!blocks.dequantize(&mut [0.0; 63]));
        assert!(blocks.dequantize(&mut [1.0; 64]));
    }
}
