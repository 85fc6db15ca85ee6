//! The types of a KV cache.

use crate::kernels::DType;

/// How cached keys and values are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum KvType {
    /// As computed.
    F32,
    /// Half the memory; the usual choice.
    #[default]
    F16,
    /// Half the memory, f32's range.
    BF16,
    /// A good quarter: a scale for every 32 values of a head. Queries are rounded to 8 bits for
    /// products with such keys.
    Q8_0,
}

impl KvType {
    /// The type of its blocks.
    pub(crate) const fn dtype(self) -> DType {
        match self {
            KvType::F32 => DType::F32,
            KvType::F16 => DType::F16,
            KvType::BF16 => DType::BF16,
            KvType::Q8_0 => DType::Q8_0,
        }
    }

    /// Its name: `f32`, `f16`, `bf16` or `q8_0`.
    pub const fn name(self) -> &'static str {
        match self {
            KvType::F32 => "f32",
            KvType::F16 => "f16",
            KvType::BF16 => "bf16",
            KvType::Q8_0 => "q8_0",
        }
    }

    /// The smallest type with a larger range, if there is one.
    pub(crate) const fn wider(self) -> Self {
        match self {
            KvType::F16 | KvType::Q8_0 => KvType::BF16,
            KvType::BF16 | KvType::F32 => KvType::F32,
        }
    }
}
