//! Matrix products with AMX: many tokens; the rest are AVX-512 VNNI's.

use super::tiles::Tiles;
use super::token::{Amx, compile};
use super::{gemm_float, gemm_quantized};
use crate::arch::x86::avx2::gemv_unpacked::format;
use crate::arch::x86::avx2::token::Avx2;
use crate::arch::x86::{avx512, avx512_vnni};
use crate::block::{
    BF16, BlockQ4_0, BlockQ4_K, BlockQ5_K, BlockQ6_K, BlockQ8_0, DType, Format, InputBlock,
};
use crate::generic::gemm_quantized::tiles_of;
use crate::generic::matmul::{Gemm, Table};
use crate::generic::pack::Quants;
use crate::generic::unpacked::{Bits, Bytes, rows_of};

/// Whether vectors are faster.
#[inline(always)]
fn few<W>(g: &Gemm<'_, W, InputBlock>) -> bool {
    g.out.tokens() < gemm_quantized::FEWEST || g.x_stride == 0
}

/// Defines a product kernel.
macro_rules! kernel {
    ($name:ident, $block:ty) => {
        compile! {
            /// # Safety
            /// As [`Amx::new`].
            unsafe fn $name(g: Gemm<'_, $block, InputBlock>) {
                if few(&g) {
                    return avx512_vnni::matmul::$name(g);
                }
                // SAFETY: the caller's promise is the same. Nothing below here calls a kernel of
                // this table, so no other `Tiles` exists.
                let tiles = unsafe { Tiles::configure(Amx::new()) };
                let source = tiles_of(tiles.isa().vectors());
                gemm_quantized::multiply::<$block, _>(&tiles, g, source);
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
    unsafe fn unpacked(g: Gemm<'_, u8, InputBlock>, dtype: DType) {
        if few(&g) {
            return avx512_vnni::matmul::unpacked(g, dtype);
        }
        let Some(format) = format(Avx2::new(), dtype) else { return };
        // SAFETY: the caller's promise is the same.
        unsafe {
            match (format.bytes, format.halves) {
                (false, false) => panels::<Bits<false>>(g, &format),
                (false, true) => panels::<Bits<true>>(g, &format),
                (true, false) => panels::<Bytes<false>>(g, &format),
                (true, true) => panels::<Bytes<true>>(g, &format),
            }
        }
    }

    /// # Safety
    /// As [`Amx::new`].
    unsafe fn panels<P: Quants>(g: Gemm<'_, u8, InputBlock>, format: &Format) {
        // SAFETY: the caller's promise is the same. Nothing below here calls a kernel of this
        // table, so no other `Tiles` exists.
        let tiles = unsafe { Tiles::configure(Amx::new()) };
        gemm_quantized::multiply::<P, _>(&tiles, g, rows_of(format));
    }

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
    Table { bf16, q8_0, q4_0, q4_k, q5_k, q6_k, unpacked, ..avx512_vnni::matmul::TABLE };
