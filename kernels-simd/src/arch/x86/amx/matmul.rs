//! Matrix products with AMX: many tokens; the rest are AVX-512 VNNI's.

use super::{Amx, gemm_float, gemm_quantized};
use crate::arch::x86::avx512_vnni;
use crate::block::{BF16, InputBlock};
use crate::generic::gemm_quantized::drive_panels;
use crate::generic::matmul::{Gemm, Table};
use crate::generic::pack::{Pack, PackQ4_0, PackQ4_K, PackQ5_K, PackQ6_K, PackQ8_0};

/// Defines a product kernel of these features.
macro_rules! kernel {
    ($name:ident, $pack:ty) => {
        /// # Safety
        /// The machine runs AVX-512 F, BW, DQ, VL and VNNI, and AMX can be used.
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
        unsafe fn $name(g: Gemm<'_, <$pack as Pack>::Block, InputBlock>) {
            if g.out.tokens() < gemm_quantized::TOKENS {
                // SAFETY: the caller's promise.
                return unsafe { (avx512_vnni::matmul::TABLE.$name)(g) };
            }
            // SAFETY: the caller's promise.
            let isa = unsafe { Amx::new() };
            let _tiles = gemm_quantized::configure::<$pack>(isa);
            drive_panels::<$pack, _>(isa, g);
        }
    };
}

kernel!(q8_0, PackQ8_0);
kernel!(q4_0, PackQ4_0);
kernel!(q4_k, PackQ4_K);
kernel!(q5_k, PackQ5_K);
kernel!(q6_k, PackQ6_K);

/// # Safety
/// The machine runs AVX-512 F, BW, DQ, VL and BF16, and AMX can be used.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
unsafe fn bf16(g: Gemm<'_, BF16, f32>) {
    if g.out.tokens() < gemm_float::TOKENS {
        // SAFETY: the caller's promise.
        return unsafe { (avx512_vnni::matmul::TABLE.bf16)(g) };
    }
    // SAFETY: the caller's promise.
    let isa = unsafe { Amx::new() };
    gemm_float::drive(isa, g);
}

pub(crate) const TABLE: Table =
    Table { bf16, q8_0, q4_0, q4_k, q5_k, q6_k, ..avx512_vnni::matmul::TABLE };
