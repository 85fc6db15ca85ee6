//! AVX2 activations: eight lanes.

use super::token::{Avx2, compile};

crate::generic::activation_forward::table!(Avx2::new(), compile);
