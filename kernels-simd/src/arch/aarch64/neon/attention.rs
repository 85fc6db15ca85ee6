//! NEON attention of many queries.

use super::token::Neon;

crate::generic::attention::table!(Neon, crate::generic::simd::as_it_is, 4, 6, 3);
