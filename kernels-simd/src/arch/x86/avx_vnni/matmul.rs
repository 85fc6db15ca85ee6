//! Matrix products with AVX-VNNI.

use super::token::{AvxVnni, compile};
use crate::arch::x86::avx2;
use crate::arch::x86::avx2::gemv_quantized as rows;
use crate::arch::x86::avx2::gemv_unpacked;
use crate::block::{DType, InputBlock};
use crate::generic::dispatch::{kernels, product};
use crate::generic::matmul::{Gemm, Table};

kernels!(compile, |isa: AvxVnni, g|
    q8_0: BlockQ8_0 => product(isa, rows::Q8_0(isa), g),
    q4_0: BlockQ4_0 => product(isa, rows::Q4_0(isa), g),
    q4_k: BlockQ4_K => product(isa, rows::Q4_K(isa), g),
    q5_k: BlockQ5_K => product(isa, rows::Q5_K(isa), g),
    q6_k: BlockQ6_K => product(isa, rows::Q6_K(isa), g),
);

pub(crate) const TABLE: Table =
    Table { q8_0, q4_0, q4_k, q5_k, q6_k, unpacked, ..avx2::matmul::TABLE };

compile! {
    pub(in crate::arch::x86) fn unpacked(g: Gemm<'_, u8, InputBlock>, dtype: DType) {
        gemv_unpacked::product(AvxVnni::new(), g, dtype);
    }
}
