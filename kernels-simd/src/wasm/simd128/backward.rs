//! WebAssembly gradients: four lanes.

use super::activation::Simd128;

crate::backward::table!(Simd128);
