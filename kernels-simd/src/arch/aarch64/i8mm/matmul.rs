//! Matrix products with FEAT_I8MM: of many tokens; of few, FEAT_DotProd is as good.

use super::token::{I8mm, compile};
use crate::arch::aarch64::dotprod;
use crate::arch::aarch64::neon::token::Neon;
use crate::arch::vec128::format;
use crate::block::{DType, InputBlock};
use crate::generic::dispatch::kernels;
use crate::generic::gemm_quantized::multiply_panels;
use crate::generic::gemv::PANEL_TOKENS;
use crate::generic::matmul::{Gemm, Table};
use crate::generic::unpacked::{Bits, Bytes, unpacked_panels};

kernels!(compile, |isa: I8mm, g|
    q8_0: BlockQ8_0 => if few(&g) { dotprod::matmul::q8_0(g) } else { multiply_panels(isa, g) },
    q4_0: BlockQ4_0 => if few(&g) { dotprod::matmul::q4_0(g) } else { multiply_panels(isa, g) },
    q4_k: BlockQ4_K => if few(&g) { dotprod::matmul::q4_k(g) } else { multiply_panels(isa, g) },
    q5_k: BlockQ5_K => if few(&g) { dotprod::matmul::q5_k(g) } else { multiply_panels(isa, g) },
    q6_k: BlockQ6_K => if few(&g) { dotprod::matmul::q6_k(g) } else { multiply_panels(isa, g) },
);

pub(crate) const TABLE: Table =
    Table { q8_0, q4_0, q4_k, q5_k, q6_k, unpacked, ..dotprod::matmul::TABLE };

/// Whether there are too few tokens for panels.
#[inline(always)]
fn few<P>(g: &Gemm<'_, P, InputBlock>) -> bool {
    g.out.tokens() < PANEL_TOKENS
}

compile! {
    fn unpacked(g: Gemm<'_, u8, InputBlock>, dtype: DType) {
        if g.out.tokens() < PANEL_TOKENS {
            return dotprod::matmul::unpacked(g, dtype);
        }
        let isa = I8mm::new();
        let Some(format) = format::<Neon>(dtype) else { return };
        match (format.bytes, format.halves) {
            (false, false) => unpacked_panels::<Bits<false>, _>(isa, g, &format),
            (false, true) => unpacked_panels::<Bits<true>, _>(isa, g, &format),
            (true, false) => unpacked_panels::<Bytes<false>, _>(isa, g, &format),
            (true, true) => unpacked_panels::<Bytes<true>, _>(isa, g, &format),
        }
    }
}
