//! Element types: their names and sizes, and which of them the build has kernels for.

/// Values in one block of the 32-value formats.
pub const QK: usize = 32;
/// Values in one block of the K-quants.
pub const QK_K: usize = 256;

const FLOATS: bool = any_built(false);
const QUANTIZED: bool = any_built(true);

/// Whether any of the quantized types, or of the others, is compiled.
const fn any_built(quantized: bool) -> bool {
    let mut i = 0;
    while i < DType::ALL.len() {
        if DType::ALL[i].is_quantized() == quantized && DType::ALL[i].is_built() {
            return true;
        }
        i += 1;
    }
    false
}

/// Whether any type is compiled that has no kernels of its own and is unpacked for products.
pub const UNPACKED: bool = {
    let (mut i, mut any) = (0, false);
    while i < DType::ALL.len() {
        let dtype = DType::ALL[i];
        any |= dtype.is_quantized() && !dtype.has_tiles() && dtype.is_built();
        i += 1;
    }
    any
};

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
    /// 32 values a block: an f16 scale, an f16 minimum and 32 nibbles.
    Q4_1,
    /// 32 values a block: an f16 scale and 5 bits each.
    Q5_0,
    /// 32 values a block: an f16 scale, an f16 minimum and 5 bits each.
    Q5_1,
    /// Q8_0 with a sum: what ggml multiplies with, seldom a weight.
    Q8_1,
    /// 256 values a block, 2 bits each; every 16 have a 4-bit scale and min.
    Q2_K,
    /// 256 values a block, 3 bits each; every 16 have a 6-bit scale.
    Q3_K,
    /// 256 signed bytes a block: what ggml multiplies with, seldom a weight.
    Q8_K,
    /// 32 values a block, of 16 that are denser near zero.
    IQ4_NL,
    /// 256 values a block, those of IQ4_NL; every 32 have a 6-bit scale.
    IQ4_XS,
    /// 32 values a block: floats of 4 bits, and a power of two.
    MXFP4,
    /// 64 values a block: floats of 4 bits; every 16 have a scale of 8 bits.
    NVFP4,
    /// 256 values a block, each -1, 0 or 1, five in a byte.
    TQ1_0,
    /// 256 values a block, each -1, 0, 1 or 2, four in a byte.
    TQ2_0,
    /// 256 values a block, in eights that are points of a list of 2048.
    IQ1_S,
    /// As IQ1_S, with finer scales.
    IQ1_M,
    /// 256 values a block, in eights that are points of a list of 256, with signs.
    IQ2_XXS,
    /// As IQ2_XXS, of 512 points, with finer scales.
    IQ2_XS,
    /// As IQ2_XS, of 1024 points.
    IQ2_S,
    /// 256 values a block, in fours that are points of a list of 256, with signs.
    IQ3_XXS,
    /// As IQ3_XXS, of 512 points.
    IQ3_S,
}

impl DType {
    crate::every_variant! {
        /// Every type this crate computes with.
        pub const ALL: DType = [
            F32,
            F16,
            BF16,
            Q8_0,
            Q4_0,
            Q4_K,
            Q5_K,
            Q6_K,
            Q4_1,
            Q5_0,
            Q5_1,
            Q8_1,
            Q2_K,
            Q3_K,
            Q8_K,
            IQ4_NL,
            IQ4_XS,
            MXFP4,
            NVFP4,
            TQ1_0,
            TQ2_0,
            IQ1_S,
            IQ1_M,
            IQ2_XXS,
            IQ2_XS,
            IQ2_S,
            IQ3_XXS,
            IQ3_S,
        ];
    }

    /// Values in one block (1 for the float types).
    pub const fn block_len(self) -> usize {
        match self {
            DType::F32 | DType::F16 | DType::BF16 => 1,
            DType::Q8_0 | DType::Q4_0 => QK,
            DType::Q4_K | DType::Q5_K | DType::Q6_K => QK_K,
            // What is not compiled takes no room: such types are refused before anyone asks.
            _ if !UNPACKED => QK_K,
            DType::NVFP4 => 64,
            DType::Q4_1
            | DType::Q5_0
            | DType::Q5_1
            | DType::Q8_1
            | DType::IQ4_NL
            | DType::MXFP4 => QK,
            DType::Q2_K
            | DType::Q3_K
            | DType::Q8_K
            | DType::IQ4_XS
            | DType::TQ1_0
            | DType::TQ2_0
            | DType::IQ1_S
            | DType::IQ1_M
            | DType::IQ2_XXS
            | DType::IQ2_XS
            | DType::IQ2_S
            | DType::IQ3_XXS
            | DType::IQ3_S => QK_K,
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
            _ if !UNPACKED => 292,
            DType::Q4_1 => 20,
            DType::Q5_0 => 22,
            DType::Q5_1 => 24,
            DType::Q8_1 => 36,
            DType::Q2_K => 84,
            DType::Q3_K => 110,
            DType::Q8_K => 292,
            DType::IQ4_NL => 18,
            DType::IQ4_XS => 136,
            DType::MXFP4 => 17,
            DType::NVFP4 => 36,
            DType::TQ1_0 => 54,
            DType::TQ2_0 => 66,
            DType::IQ1_S => 50,
            DType::IQ1_M => 56,
            DType::IQ2_XXS => 66,
            DType::IQ2_XS => 74,
            DType::IQ2_S => 82,
            DType::IQ3_XXS => 98,
            DType::IQ3_S => 110,
        }
    }

    /// Whether dot products take their other operand as [`crate::InputBlock`]s (else as f32).
    pub const fn is_quantized(self) -> bool {
        !matches!(self, DType::F32 | DType::F16 | DType::BF16)
    }

    /// Whether such weights can be packed ([`crate::Kernels::pack`]). The other quantized types are
    /// unpacked a row at a time, which a product of one row and one token does as well.
    pub const fn has_tiles(self) -> bool {
        use DType::{Q4_0, Q4_K, Q5_K, Q6_K, Q8_0};
        matches!(self, Q8_0 | Q4_0 | Q4_K | Q5_K | Q6_K)
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
            DType::Q4_1 => "Q4_1",
            DType::Q5_0 => "Q5_0",
            DType::Q5_1 => "Q5_1",
            DType::Q8_1 => "Q8_1",
            DType::Q2_K => "Q2_K",
            DType::Q3_K => "Q3_K",
            DType::Q8_K => "Q8_K",
            DType::IQ4_NL => "IQ4_NL",
            DType::IQ4_XS => "IQ4_XS",
            DType::MXFP4 => "MXFP4",
            DType::NVFP4 => "NVFP4",
            DType::TQ1_0 => "TQ1_0",
            DType::TQ2_0 => "TQ2_0",
            DType::IQ1_S => "IQ1_S",
            DType::IQ1_M => "IQ1_M",
            DType::IQ2_XXS => "IQ2_XXS",
            DType::IQ2_XS => "IQ2_XS",
            DType::IQ2_S => "IQ2_S",
            DType::IQ3_XXS => "IQ3_XXS",
            DType::IQ3_S => "IQ3_S",
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
            DType::Q4_1 => !cfg!(xielu_without = "Q4_1"),
            DType::Q5_0 => !cfg!(xielu_without = "Q5_0"),
            DType::Q5_1 => !cfg!(xielu_without = "Q5_1"),
            DType::Q8_1 => !cfg!(xielu_without = "Q8_1"),
            DType::Q2_K => !cfg!(xielu_without = "Q2_K"),
            DType::Q3_K => !cfg!(xielu_without = "Q3_K"),
            DType::Q8_K => !cfg!(xielu_without = "Q8_K"),
            DType::IQ4_NL => !cfg!(xielu_without = "IQ4_NL"),
            DType::IQ4_XS => !cfg!(xielu_without = "IQ4_XS"),
            DType::MXFP4 => !cfg!(xielu_without = "MXFP4"),
            DType::NVFP4 => !cfg!(xielu_without = "NVFP4"),
            DType::TQ1_0 => !cfg!(xielu_without = "TQ1_0"),
            DType::TQ2_0 => !cfg!(xielu_without = "TQ2_0"),
            DType::IQ1_S => !cfg!(xielu_without = "IQ1_S"),
            DType::IQ1_M => !cfg!(xielu_without = "IQ1_M"),
            DType::IQ2_XXS => !cfg!(xielu_without = "IQ2_XXS"),
            DType::IQ2_XS => !cfg!(xielu_without = "IQ2_XS"),
            DType::IQ2_S => !cfg!(xielu_without = "IQ2_S"),
            DType::IQ3_XXS => !cfg!(xielu_without = "IQ3_XXS"),
            DType::IQ3_S => !cfg!(xielu_without = "IQ3_S"),
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

crate::names!(DType, dtype => dtype.name());
