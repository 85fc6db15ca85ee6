//! WebAssembly attention of many queries.

use super::token::Simd128;

crate::generic::attention::table!(Simd128, crate::generic::simd::as_it_is, 2, 4, 2);
