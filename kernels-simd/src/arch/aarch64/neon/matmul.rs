//! NEON matrix products.

use super::token::Neon;
use crate::arch::vec128::{Baseline, table};
use crate::generic::matmul::Table;

impl Baseline for Neon {
    const TOKEN: Neon = Neon;
}

pub(crate) const TABLE: Table = table::<Neon, 4, 6, 3>();
