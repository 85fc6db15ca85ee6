//! Matrix products with AVX-VNNI.

use super::token::{AvxVnni, compile};
use crate::arch::x86::avx2;
use crate::arch::x86::avx2::gemv_quantized as rows;
use crate::block::InputBlock;
use crate::generic::dispatch::product;
use crate::generic::matmul::{Gemm, Table};
use crate::generic::pack::{Pack, PackQ4_0, PackQ4_K, PackQ5_K, PackQ6_K, PackQ8_0};

/// Defines a product kernel.
macro_rules! kernel {
    ($name:ident, $rows:path, $pack:ty) => {
        compile! {
            fn $name(g: Gemm<'_, <$pack as Pack>::Block, InputBlock>) {
                let isa = AvxVnni::new();
                product::<_, $pack, _>(isa, $rows(isa), g);
            }
        }
    };
}

kernel!(q8_0, rows::Q8_0, PackQ8_0);
kernel!(q4_0, rows::Q4_0, PackQ4_0);
kernel!(q4_k, rows::Q4_K, PackQ4_K);
kernel!(q5_k, rows::Q5_K, PackQ5_K);
kernel!(q6_k, rows::Q6_K, PackQ6_K);

pub(crate) const TABLE: Table = Table { q8_0, q4_0, q4_k, q5_k, q6_k, ..avx2::matmul::TABLE };
