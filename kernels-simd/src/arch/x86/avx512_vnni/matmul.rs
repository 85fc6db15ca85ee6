//! Matrix products with AVX-512 VNNI.

use super::gemv_quantized::Rows;
use super::token::{Avx512Vnni, compile};
use super::unpack;
use crate::arch::x86::avx2::gemv_unpacked;
use crate::arch::x86::avx512;
use crate::block::{DType, InputBlock};
use crate::generic::dispatch::{kernels, product};
use crate::generic::matmul::{Gemm, Table};

kernels!(compile, |isa: Avx512Vnni, g|
    q8_0: BlockQ8_0 => product(isa, Rows::<unpack::Q8_0>::new(isa), g),
    q4_0: BlockQ4_0 => product(isa, Rows::<unpack::Q4_0>::new(isa), g),
    q4_k: BlockQ4_K => product(isa, Rows::<unpack::Q4_K>::new(isa), g),
    q5_k: BlockQ5_K => product(isa, Rows::<unpack::Q5_K>::new(isa), g),
    q6_k: BlockQ6_K => product(isa, Rows::<unpack::Q6_K>::new(isa), g),
);

pub(crate) const TABLE: Table =
    Table { q8_0, q4_0, q4_k, q5_k, q6_k, unpacked, ..avx512::matmul::TABLE };

compile! {
    pub(in crate::arch::x86) fn unpacked(g: Gemm<'_, u8, InputBlock>, dtype: DType) {
        gemv_unpacked::product(Avx512Vnni::new(), g, dtype);
    }
}
