//! The weight formats: element types and quantized blocks exactly as GGUF stores them.
//!
//! Every type here has alignment 1, so a byte slice at any address can be viewed as blocks
//! without a copy. Source of the layouts: ggml's format document (GGUF v3).

mod blocks;
mod bytes;
mod codes;
mod dtype;
mod float;
mod grids;
mod input;
mod iq;
mod k_quants;
mod low_bits;
mod q4_0;
mod q8_0;
mod small;
mod unpacked;

pub use blocks::Blocks;
pub use bytes::ByteBlock;
pub use codes::{BlockIQ4_NL, BlockIQ4_XS, BlockMXFP4, BlockNVFP4, FP4_VALUES, IQ4_VALUES};
pub use dtype::{DType, QK, QK_K, UNPACKED};
pub use float::{BF16, F16, F32};
pub(crate) use input::GROUPS;
pub use input::{INPUT_BLOCK, InputBlock};
pub use iq::{
    BlockIQ1_M, BlockIQ1_S, BlockIQ2_S, BlockIQ2_XS, BlockIQ2_XXS, BlockIQ3_S, BlockIQ3_XXS,
};
pub use k_quants::{BlockQ4_K, BlockQ5_K, BlockQ6_K, unpack_scales};
pub use low_bits::{BlockQ2_K, BlockQ3_K, BlockQ8_K, BlockTQ1_0, BlockTQ2_0};
pub use q4_0::BlockQ4_0;
pub use q8_0::BlockQ8_0;
pub use small::{BlockQ4_1, BlockQ5_0, BlockQ5_1, BlockQ8_1};
pub(crate) use unpacked::{Format, HALVES, LookUp, OneByOne, Unpack, Unpacked, for_products};

/// The [`Format`] of a type with `$unpack`, a generic function of the block; `None` for types that have
/// kernels of their own, or are not compiled. For functions of an instruction set `unsafe`.
macro_rules! format_of {
    ($dtype:expr, $unpack:ident $(of $isa:ident)?) => {
        $crate::block::format_of! {
            $dtype => $unpack [$($isa)?]
            Q4_1 BlockQ4_1, Q5_0 BlockQ5_0, Q5_1 BlockQ5_1, Q8_1 BlockQ8_1, Q2_K BlockQ2_K,
            Q3_K BlockQ3_K, Q8_K BlockQ8_K, IQ4_NL BlockIQ4_NL, IQ4_XS BlockIQ4_XS,
            MXFP4 BlockMXFP4, NVFP4 BlockNVFP4, TQ1_0 BlockTQ1_0, TQ2_0 BlockTQ2_0,
            IQ1_S BlockIQ1_S, IQ1_M BlockIQ1_M, IQ2_XXS BlockIQ2_XXS, IQ2_XS BlockIQ2_XS,
            IQ2_S BlockIQ2_S, IQ3_XXS BlockIQ3_XXS, IQ3_S BlockIQ3_S,
        }
    };
    ($dtype:expr => $unpack:ident $isa:tt $($variant:ident $block:ident),+ $(,)?) => {
        match $dtype {
            $($crate::block::DType::$variant if $crate::block::DType::$variant.is_built() => {
                Some($crate::block::format_of! { @new $unpack $isa $block })
            })+
            _ => None,
        }
    };
    (@new $unpack:ident [] $block:ident) => {
        $crate::block::Format::new::<$crate::block::$block>($unpack::<$crate::block::$block>)
    };
    (@new $unpack:ident [$isa:ident] $block:ident) => {
        $crate::block::Format::new::<$crate::block::$block>($unpack::<$isa, $crate::block::$block>)
    };
}
pub(crate) use format_of;
