//! AVX2 gradients: eight lanes.

use super::token::Avx2;

crate::generic::activation_backward::table!(Avx2::new(), "avx2,fma,f16c");
