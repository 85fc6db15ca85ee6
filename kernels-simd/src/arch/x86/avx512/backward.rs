//! AVX-512 gradients: sixteen lanes.

use super::token::{Avx512, compile};

crate::generic::activation_backward::table!(Avx512::new(), compile);
