//! Matrix products with FEAT_I8MM: of many tokens; of few, it is no better than FEAT_DotProd.

use super::I8mm;
use crate::aarch64::dotprod::{self, Dotprod};
use crate::gemm::{Gemm, Table, product};
use crate::input::InputBlock;
use crate::pack::{Pack, PackQ4_0, PackQ4_K, PackQ5_K, PackQ6_K, PackQ8_0};
use crate::vec128::{Q4_0, Q4_K, Q5_K, Q6_K, Q8_0};

/// Defines a product kernel of these features.
macro_rules! kernel {
    ($name:ident, $rows:path, $pack:ty) => {
        /// # Safety
        /// The machine has FEAT_DotProd and FEAT_I8MM.
        #[target_feature(enable = "dotprod,i8mm")]
        unsafe fn $name(g: Gemm<'_, <$pack as Pack>::Block, InputBlock>) {
            // SAFETY: the caller's promise.
            let (isa, rows) = unsafe { (I8mm::new(), Dotprod::new()) };
            product::<_, $pack, _>(isa, $rows(rows), g);
        }
    };
}

kernel!(q8_0, Q8_0, PackQ8_0);
kernel!(q4_0, Q4_0, PackQ4_0);
kernel!(q4_k, Q4_K, PackQ4_K);
kernel!(q5_k, Q5_K, PackQ5_K);
kernel!(q6_k, Q6_K, PackQ6_K);

pub(crate) const TABLE: Table = Table { q8_0, q4_0, q4_k, q5_k, q6_k, ..dotprod::gemm::TABLE };
