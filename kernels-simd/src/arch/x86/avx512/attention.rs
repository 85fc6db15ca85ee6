//! AVX-512 attention of many queries.

use super::token::{Avx512, compile};

crate::generic::attention::table!(Avx512::new(), compile, 2, 12, 6);
