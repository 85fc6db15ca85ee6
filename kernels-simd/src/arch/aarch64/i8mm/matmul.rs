//! Matrix products with FEAT_I8MM: of many tokens; of few, FEAT_DotProd is as good.

use super::token::{I8mm, compile};
use crate::arch::aarch64::dotprod;
use crate::generic::dispatch::kernels;
use crate::generic::gemm_quantized::drive_panels;
use crate::generic::gemv::PANEL_TOKENS;
use crate::generic::matmul::Table;

kernels!(compile, |isa: I8mm, g|
    q8_0: BlockQ8_0 => {
        if g.out.tokens() < PANEL_TOKENS { dotprod::matmul::q8_0(g) } else { drive_panels(isa, g) }
    },
    q4_0: BlockQ4_0 => {
        if g.out.tokens() < PANEL_TOKENS { dotprod::matmul::q4_0(g) } else { drive_panels(isa, g) }
    },
    q4_k: BlockQ4_K => {
        if g.out.tokens() < PANEL_TOKENS { dotprod::matmul::q4_k(g) } else { drive_panels(isa, g) }
    },
    q5_k: BlockQ5_K => {
        if g.out.tokens() < PANEL_TOKENS { dotprod::matmul::q5_k(g) } else { drive_panels(isa, g) }
    },
    q6_k: BlockQ6_K => {
        if g.out.tokens() < PANEL_TOKENS { dotprod::matmul::q6_k(g) } else { drive_panels(isa, g) }
    },
);

pub(crate) const TABLE: Table = Table { q8_0, q4_0, q4_k, q5_k, q6_k, ..dotprod::matmul::TABLE };
