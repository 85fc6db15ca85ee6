//! WebAssembly activations: four lanes.

use super::token::Simd128;

crate::generic::activation_forward::table!(Simd128);
