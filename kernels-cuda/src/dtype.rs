//! Storage types.

use half::{bf16, f16};

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
    /// All of them.
    pub const ALL: [DType; 3] = [DType::F32, DType::BF16, DType::F16];

    /// Bytes of one value.
    pub const fn size(self) -> u64 {
        match self {
            DType::F32 => 4,
            DType::BF16 | DType::F16 => 2,
        }
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A Rust type that values are stored in.
pub trait Element: Copy + sealed::Sealed {
    /// Its name here.
    const DTYPE: DType;
}

macro_rules! element {
    ($t:ty, $dtype:ident) => {
        impl sealed::Sealed for $t {}
        impl Element for $t {
            const DTYPE: DType = DType::$dtype;
        }
    };
}

element!(f32, F32);
element!(bf16, BF16);
element!(f16, F16);
