//! AVX-512 gradients: sixteen lanes.

use super::activation::Avx512;

crate::generic::activation_backward::table!(Avx512::new(), "avx512f,avx512bw,avx512dq,avx512vl");
