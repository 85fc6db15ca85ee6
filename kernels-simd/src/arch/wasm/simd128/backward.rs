//! WebAssembly gradients: four lanes.

use super::token::Simd128;

crate::generic::activation_backward::table!(Simd128);
