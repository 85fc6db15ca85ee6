//! Element types: their names and sizes, and which of them the build has kernels for.

/// Values in one block of the 32-value formats.
pub const QK: usize = 32;
/// Values in one block of the K-quants.
pub const QK_K: usize = 256;

const FLOATS: bool = DType::F32.is_built() || DType::F16.is_built() || DType::BF16.is_built();
const QUANTIZED: bool = DType::Q8_0.is_built()
    || DType::Q4_0.is_built()
    || DType::Q4_K.is_built()
    || DType::Q5_K.is_built()
    || DType::Q6_K.is_built();

/// How the elements of a tensor are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(non_camel_case_types)] // GGUF's names
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
    /// 256 values a block, 4 bits each; every 32 have a 6-bit scale and min.
    Q4_K,
    /// 256 values a block, 5 bits each; every 32 have a 6-bit scale and min.
    Q5_K,
    /// 256 values a block, 6 bits each; every 16 have an 8-bit scale.
    Q6_K,
}

impl DType {
    /// Every type this crate computes with.
    pub const ALL: [DType; 8] = [
        DType::F32,
        DType::F16,
        DType::BF16,
        DType::Q8_0,
        DType::Q4_0,
        DType::Q4_K,
        DType::Q5_K,
        DType::Q6_K,
    ];

    /// Values in one block (1 for the float types).
    pub const fn block_len(self) -> usize {
        match self {
            DType::F32 | DType::F16 | DType::BF16 => 1,
            DType::Q8_0 | DType::Q4_0 => QK,
            DType::Q4_K | DType::Q5_K | DType::Q6_K => QK_K,
        }
    }

    /// Bytes of one block.
    pub const fn block_bytes(self) -> usize {
        match self {
            DType::F32 => 4,
            DType::F16 | DType::BF16 => 2,
            DType::Q8_0 => 34,
            DType::Q4_0 => 18,
            DType::Q4_K => 144,
            DType::Q5_K => 176,
            DType::Q6_K => 210,
        }
    }

    /// Whether dot products take their other operand as [`crate::InputBlock`]s (else as f32).
    pub const fn is_quantized(self) -> bool {
        !matches!(self, DType::F32 | DType::F16 | DType::BF16)
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
            DType::Q4_K => "Q4_K",
            DType::Q5_K => "Q5_K",
            DType::Q6_K => "Q6_K",
        }
    }

    /// Whether products with such weights are compiled.
    pub const fn is_built(self) -> bool {
        match self {
            DType::F32 => !cfg!(xielu_without = "F32"),
            DType::F16 => !cfg!(xielu_without = "F16"),
            DType::BF16 => !cfg!(xielu_without = "BF16"),
            DType::Q8_0 => !cfg!(xielu_without = "Q8_0"),
            DType::Q4_0 => !cfg!(xielu_without = "Q4_0"),
            DType::Q4_K => !cfg!(xielu_without = "Q4_K"),
            DType::Q5_K => !cfg!(xielu_without = "Q5_K"),
            DType::Q6_K => !cfg!(xielu_without = "Q6_K"),
        }
    }

    /// Whether matrices can be of this type. Vectors are f32 in every file.
    pub(crate) const fn is_readable(self) -> bool {
        matches!(self, DType::F32) || self.is_built()
    }

    /// Whether products take their other operand as [`crate::InputBlock`]s, of the types that are
    /// compiled.
    pub(crate) const fn takes_blocks(self) -> bool {
        QUANTIZED && (!FLOATS || self.is_quantized())
    }
}

impl core::fmt::Display for DType {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.name())
    }
}
