//! Panel products with AVX-VNNI, in vectors of eight rows.

use core::arch::x86_64::*;

use super::token::AvxVnni;
use crate::arch::x86::avx2::dot::ByteDot;
use crate::arch::x86::avx2::token::Avx2;
use crate::generic::gemm_quantized::{Columns, PanelIsa, Products, Tokens, tiles};
use crate::generic::pack::{Quants, SCATTERED, Scatter};
use crate::generic::panel::{Panel, Quad};
use crate::generic::simd::Vectors;

impl Vectors for AvxVnni {
    type Simd = Avx2;
    #[inline(always)]
    fn simd(self) -> Avx2 {
        self.avx2()
    }
}

impl Scatter for AvxVnni {
    #[inline(always)]
    fn scatter(self, rows: [&[u8]; SCATTERED], quads: &mut [Quad], first: usize) {
        self.avx2().scatter(rows, quads, first);
    }
}

impl PanelIsa for AvxVnni {
    const TILE: usize = 6;

    #[inline(always)]
    fn tile<P: Quants>(self, panel: &Panel, mut tokens: Tokens<'_>) {
        tiles::<_, P, 1, 6>(self, panel, &mut tokens);
        tiles::<_, P, 1, 1>(self, panel, &mut tokens);
    }

    #[inline(always)]
    fn products<P: Quants, const V: usize, const T: usize, const Q: usize>(
        self,
        Columns { w, first, x, sums, bias }: Columns<'_, T, Q>,
    ) -> Products<__m256i, V, T> {
        let isa = self.avx2();
        let mut q = sums.map(|sums| [isa.offset(sums, bias); V]);
        for k in 0..Q {
            for v in 0..V {
                let w = isa.load_quads(&w[k], first + 8 * v);
                for (q, x) in q.iter_mut().zip(x) {
                    q[v] = self.dot(q[v], w, isa.splat_quad(x[k % Q]));
                }
            }
        }
        q
    }
}
