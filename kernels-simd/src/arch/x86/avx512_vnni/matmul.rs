//! Matrix products with AVX-512 VNNI.

use super::gemv_quantized::Rows;
use super::token::{Avx512Vnni, compile};
use super::unpack;
use crate::arch::x86::avx512;
use crate::block::InputBlock;
use crate::generic::dispatch::product;
use crate::generic::matmul::{Gemm, Table};
use crate::generic::pack::{Pack, PackQ4_0, PackQ4_K, PackQ5_K, PackQ6_K, PackQ8_0};

/// Defines a product kernel.
macro_rules! kernel {
    ($name:ident, $rows:ty, $pack:ty) => {
        compile! {
            pub(in crate::arch::x86) fn $name(g: Gemm<'_, <$pack as Pack>::Block, InputBlock>) {
                let isa = Avx512Vnni::new();
                product::<_, $pack, _>(isa, Rows::<$rows>::new(isa), g);
            }
        }
    };
}

kernel!(q8_0, unpack::Q8_0, PackQ8_0);
kernel!(q4_0, unpack::Q4_0, PackQ4_0);
kernel!(q4_k, unpack::Q4_K, PackQ4_K);
kernel!(q5_k, unpack::Q5_K, PackQ5_K);
kernel!(q6_k, unpack::Q6_K, PackQ6_K);

pub(crate) const TABLE: Table = Table { q8_0, q4_0, q4_k, q5_k, q6_k, ..avx512::matmul::TABLE };
