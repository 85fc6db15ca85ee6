//! Matrix products with AVX-VNNI.

use super::AvxVnni;
use crate::arch::x86::avx2;
use crate::arch::x86::avx2::unpack;
use crate::block::InputBlock;
use crate::generic::dispatch::product;
use crate::generic::matmul::{Gemm, Table};
use crate::generic::pack::{Pack, PackQ4_0, PackQ4_K, PackQ5_K, PackQ6_K, PackQ8_0};

/// Defines a product kernel of these features.
macro_rules! kernel {
    ($name:ident, $rows:path, $pack:ty) => {
        /// # Safety
        /// The machine runs AVX2, FMA, F16C and AVX-VNNI.
        #[target_feature(enable = "avx2,fma,f16c,avxvnni")]
        unsafe fn $name(g: Gemm<'_, <$pack as Pack>::Block, InputBlock>) {
            // SAFETY: the caller's promise.
            let isa = unsafe { AvxVnni::new() };
            product::<_, $pack, _>(isa, $rows(isa), g);
        }
    };
}

kernel!(q8_0, unpack::Q8_0, PackQ8_0);
kernel!(q4_0, unpack::Q4_0, PackQ4_0);
kernel!(q4_k, unpack::Q4_K, PackQ4_K);
kernel!(q5_k, unpack::Q5_K, PackQ5_K);
kernel!(q6_k, unpack::Q6_K, PackQ6_K);

pub(crate) const TABLE: Table = Table { q8_0, q4_0, q4_k, q5_k, q6_k, ..avx2::matmul::TABLE };
