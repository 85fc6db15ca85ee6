//! AVX-512 activations: sixteen lanes.

use super::token::{Avx512, compile};

crate::generic::activation_forward::table!(Avx512::new(), compile);
