//! Matrix products with AMX: many tokens; the rest are AVX-512 VNNI's.

use super::tiles::Tiles;
use super::token::{Amx, compile};
use super::{gemm_float, gemm_quantized};
use crate::arch::x86::{avx512, avx512_vnni};
use crate::block::{BF16, BlockQ4_0, BlockQ4_K, BlockQ5_K, BlockQ6_K, BlockQ8_0, InputBlock};
use crate::generic::gemm_quantized::multiply_panels;
use crate::generic::matmul::{Gemm, Table};

/// Defines a product kernel.
macro_rules! kernel {
    ($name:ident, $block:ty) => {
        compile! {
            /// # Safety
            /// As [`Amx::new`].
            unsafe fn $name(g: Gemm<'_, $block, InputBlock>) {
                if g.out.tokens() < gemm_quantized::TOKENS {
                    return avx512_vnni::matmul::$name(g);
                }
                // SAFETY: the caller's promise is the same. Nothing below here calls a kernel of
                // this table, so no other `Tiles` exists.
                let tiles = unsafe { Tiles::configure(Amx::new()) };
                multiply_panels::<$block, &Tiles<gemm_quantized::Shapes<$block>>>(&tiles, g);
            }
        }
    };
}

kernel!(q8_0, BlockQ8_0);
kernel!(q4_0, BlockQ4_0);
kernel!(q4_k, BlockQ4_K);
kernel!(q5_k, BlockQ5_K);
kernel!(q6_k, BlockQ6_K);

compile! {
    /// # Safety
    /// As [`Amx::new`].
    unsafe fn bf16(g: Gemm<'_, BF16, f32>) {
        if g.out.tokens() < gemm_float::TOKENS {
            return avx512::matmul::float(g);
        }
        // SAFETY: the caller's promise is the same. Nothing below here calls a kernel of this
        // table, so no other `Tiles` exists.
        let tiles = unsafe { Tiles::configure(Amx::new()) };
        gemm_float::drive(&tiles, g);
    }
}

pub(crate) const TABLE: Table =
    Table { bf16, q8_0, q4_0, q4_k, q5_k, q6_k, ..avx512_vnni::matmul::TABLE };
