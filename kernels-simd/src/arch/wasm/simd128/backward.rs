//! WebAssembly gradients: four lanes.

use super::activation::Simd128;

crate::generic::activation_backward::table!(Simd128);
