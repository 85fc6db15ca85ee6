//! Matrix products with AVX-512 VNNI.

use super::{Avx512Vnni, dot};
use crate::gemm::{ChunkDot, Chunked, Gemm, Table, drive_rows};
use crate::input::InputBlock;
use crate::pack::{Pack, PackQ4_0, PackQ8_0};
use crate::panel::drive_panels;
use crate::x86::avx2::{self, unpack};

/// Defines a product kernel of these features.
macro_rules! product {
    ($name:ident, $rows:path, $pack:ty) => {
        /// # Safety
        /// The machine runs AVX-512 F, BW, DQ, VL and VNNI.
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
        unsafe fn $name(g: Gemm<'_, <$pack as Pack>::Block, InputBlock>) {
            // SAFETY: the caller's promise.
            let isa = unsafe { Avx512Vnni::new() };
            product::<_, $pack>(isa, $rows(isa), g);
        }
    };
}

product!(q8_0, unpack::Q8_0, PackQ8_0);
product!(q4_0, dot::Q4_0, PackQ4_0);

pub(crate) const TABLE: Table = Table { q8_0, q4_0, ..avx2::gemm::TABLE };

/// From this many tokens on, unpacking to panels pays.
const PANEL_TOKENS: usize = 8;

#[inline(always)]
fn product<D: ChunkDot, P: Pack<Block = D::Block>>(
    isa: Avx512Vnni,
    rows: D,
    g: Gemm<'_, D::Block, InputBlock>,
) {
    if g.out.tokens() < PANEL_TOKENS {
        drive_rows(g, Chunked(rows));
    } else {
        drive_panels::<P, _>(isa, g);
    }
}
