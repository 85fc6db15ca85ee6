//! Matrix products with AMX: many tokens; the rest are AVX-512 VNNI's.

use super::{Amx, float_panel, panel};
use crate::block::BF16;
use crate::gemm::{Gemm, Table};
use crate::input::InputBlock;
use crate::pack::{Pack, PackQ4_0, PackQ4_K, PackQ5_K, PackQ6_K, PackQ8_0};
use crate::panel::drive_panels;
use crate::x86::avx512_vnni;

/// Defines a product kernel of these features.
macro_rules! kernel {
    ($name:ident, $pack:ty) => {
        /// # Safety
        /// The machine runs AVX-512 F, BW, DQ, VL and VNNI, and AMX can be used.
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
        unsafe fn $name(g: Gemm<'_, <$pack as Pack>::Block, InputBlock>) {
            if g.out.tokens() < panel::TOKENS {
                // SAFETY: the caller's promise.
                return unsafe { (avx512_vnni::gemm::TABLE.$name)(g) };
            }
            // SAFETY: the caller's promise.
            let isa = unsafe { Amx::new() };
            let _tiles = panel::configure::<$pack>(isa);
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
    if g.out.tokens() < float_panel::TOKENS {
        // SAFETY: the caller's promise.
        return unsafe { (avx512_vnni::gemm::TABLE.bf16)(g) };
    }
    // SAFETY: the caller's promise.
    let isa = unsafe { Amx::new() };
    float_panel::drive(isa, g);
}

pub(crate) const TABLE: Table =
    Table { bf16, q8_0, q4_0, q4_k, q5_k, q6_k, ..avx512_vnni::gemm::TABLE };
