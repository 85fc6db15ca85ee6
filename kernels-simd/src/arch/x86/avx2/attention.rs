//! AVX2 attention of many queries.

use super::token::{Avx2, compile};

crate::generic::attention::table!(Avx2::new(), compile, 2, 6, 3);
