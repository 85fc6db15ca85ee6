//! Matrix products with FEAT_DotProd.

use super::token::{Dotprod, compile};
use crate::arch::aarch64::neon;
use crate::arch::aarch64::neon::token::Neon;
use crate::arch::vec128::{Q4_0, Q4_K, Q5_K, Q6_K, Q8_0, format, product_unpacked};
use crate::block::{DType, InputBlock};
use crate::generic::dispatch::{kernels, product};
use crate::generic::matmul::{Gemm, Table};

kernels!(compile, |isa: Dotprod, g|
    q8_0: BlockQ8_0 => product(isa, Q8_0(isa), g),
    q4_0: BlockQ4_0 => product(isa, Q4_0(isa), g),
    q4_k: BlockQ4_K => product(isa, Q4_K(isa), g),
    q5_k: BlockQ5_K => product(isa, Q5_K(isa), g),
    q6_k: BlockQ6_K => product(isa, Q6_K(isa), g),
);

pub(crate) const TABLE: Table =
    Table { q8_0, q4_0, q4_k, q5_k, q6_k, unpacked, ..neon::matmul::TABLE };

compile! {
    pub(in crate::arch) fn unpacked(g: Gemm<'_, u8, InputBlock>, dtype: DType) {
        let isa = Dotprod::new();
        if let Some(format) = format::<Neon>(dtype) {
            product_unpacked(isa, g, dtype, &format);
        }
    }
}
