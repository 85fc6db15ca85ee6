//! Storage types.

use xielu_kernels_simd::{self as cpu, Element};

/// How values are stored; everything is computed in f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum DType {
    /// `f32`.
    F32 = 0,
    /// `half::bf16`.
    BF16 = 1,
    /// `half::f16`.
    F16 = 2,
}

impl DType {
    /// How `T` is stored.
    pub(crate) const fn of<T: Element>() -> DType {
        match T::DTYPE {
            cpu::DType::BF16 => DType::BF16,
            cpu::DType::F16 => DType::F16,
            // The one other `Element`.
            _ => DType::F32,
        }
    }

    xielu_kernels_simd::every_variant! {
        /// All of them.
        pub const ALL: DType = [F32, BF16, F16];
    }

    /// Bytes of one value.
    pub const fn size(self) -> u64 {
        match self {
            DType::F32 => 4,
            DType::BF16 | DType::F16 => 2,
        }
    }
}
