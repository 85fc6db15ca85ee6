//! WebAssembly matrix products.

use super::token::Simd128;
use crate::arch::vec128::{Baseline, table};
use crate::generic::matmul::Table;

impl Baseline for Simd128 {
    const TOKEN: Simd128 = Simd128;
}

pub(crate) const TABLE: Table = table::<Simd128, 2, 4, 2>();
