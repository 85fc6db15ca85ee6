//! Matrix products with FEAT_I8MM: of many tokens; of few, FEAT_DotProd is as good.

use super::token::{I8mm, compile};
use crate::arch::aarch64::dotprod;
use crate::block::InputBlock;
use crate::generic::gemm_quantized::drive_panels;
use crate::generic::gemv::PANEL_TOKENS;
use crate::generic::matmul::{Gemm, Table};
use crate::generic::pack::{Pack, PackQ4_0, PackQ4_K, PackQ5_K, PackQ6_K, PackQ8_0};

/// Defines a product kernel.
macro_rules! kernel {
    ($name:ident, $pack:ty) => {
        compile! {
            fn $name(g: Gemm<'_, <$pack as Pack>::Block, InputBlock>) {
                let isa = I8mm::new();
                if g.out.tokens() < PANEL_TOKENS {
                    // SAFETY: `isa` is the proof that the machine has FEAT_DotProd.
                    return unsafe { (dotprod::matmul::TABLE.$name)(g) };
                }
                drive_panels::<$pack, _>(isa, g);
            }
        }
    };
}

kernel!(q8_0, PackQ8_0);
kernel!(q4_0, PackQ4_0);
kernel!(q4_k, PackQ4_K);
kernel!(q5_k, PackQ5_K);
kernel!(q6_k, PackQ6_K);

pub(crate) const TABLE: Table = Table { q8_0, q4_0, q4_k, q5_k, q6_k, ..dotprod::matmul::TABLE };
