//! AVX-512 gradients: sixteen lanes.

use super::token::Avx512;

crate::generic::activation_backward::table!(
    Avx512::new(),
    "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c"
);
