//! AVX2 gradients: eight lanes.

use super::token::{Avx2, compile};

crate::generic::activation_backward::table!(Avx2::new(), compile);
