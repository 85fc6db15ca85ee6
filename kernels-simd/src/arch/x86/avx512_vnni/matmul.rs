//! Matrix products with AVX-512 VNNI.

use super::dot::Rows;
use super::{Avx512Vnni, unpack};
use crate::arch::x86::avx512;
use crate::block::InputBlock;
use crate::generic::dispatch::product;
use crate::generic::matmul::{Gemm, Table};
use crate::generic::pack::{Pack, PackQ4_0, PackQ4_K, PackQ5_K, PackQ6_K, PackQ8_0};

/// Defines a product kernel of these features.
macro_rules! kernel {
    ($name:ident, $rows:ty, $pack:ty) => {
        /// # Safety
        /// The machine runs AVX-512 F, BW, DQ, VL and VNNI.
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
        unsafe fn $name(g: Gemm<'_, <$pack as Pack>::Block, InputBlock>) {
            // SAFETY: the caller's promise.
            let isa = unsafe { Avx512Vnni::new() };
            product::<_, $pack, _>(isa, Rows::<$rows>::new(isa), g);
        }
    };
}

kernel!(q8_0, unpack::Q8_0, PackQ8_0);
kernel!(q4_0, unpack::Q4_0, PackQ4_0);
kernel!(q4_k, unpack::Q4_K, PackQ4_K);
kernel!(q5_k, unpack::Q5_K, PackQ5_K);
kernel!(q6_k, unpack::Q6_K, PackQ6_K);

pub(crate) const TABLE: Table = Table { q8_0, q4_0, q4_k, q5_k, q6_k, ..avx512::matmul::TABLE };
