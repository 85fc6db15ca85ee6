//! Panel products with FEAT_DotProd, in vectors of four rows.

use core::arch::aarch64::*;

use super::token::Dotprod;
use crate::arch::aarch64::gemm_quantized::{load, load_input, subtract_bias};
use crate::arch::aarch64::neon::token::{Neon, neon};
use crate::generic::gemm_quantized::{Columns, PanelIsa, Products, Tokens, tiles};
use crate::generic::pack::{Quants, Scatter};
use crate::generic::panel::Panel;
use crate::generic::simd::Vectors;

impl Vectors for Dotprod {
    type Simd = Neon;
    #[inline(always)]
    fn simd(self) -> Neon {
        Neon
    }
}

impl Scatter for Dotprod {}

impl PanelIsa for Dotprod {
    const TILE: usize = 4;

    #[inline(always)]
    fn arrange<P: Quants>(self, panel: &mut Panel) {
        subtract_bias::<P>(panel);
    }

    #[inline(always)]
    fn tile<P: Quants>(self, panel: &Panel, mut tokens: Tokens<'_>) {
        tiles::<_, P, 2, 4>(self, panel, &mut tokens);
        tiles::<_, P, 4, 1>(self, panel, &mut tokens);
    }

    #[inline(always)]
    fn products<P: Quants, const V: usize, const T: usize, const Q: usize>(
        self,
        Columns { w, first, x, .. }: Columns<'_, T, Q>,
    ) -> Products<int32x4_t, V, T> {
        let zero = neon!(vdupq_n_s32(0));
        let mut q = [[zero; V]; T];
        for (k, w) in w.as_chunks::<4>().0.iter().enumerate() {
            let x = x.map(|x| load_input(x.as_chunks().0.get(k).unwrap_or(&[[0; 4]; 4])));
            for v in 0..V {
                let w = w.each_ref().map(|w| load(w, first + 4 * v));
                for (q, x) in q.iter_mut().zip(x) {
                    let sum = self.dot_lane::<0>(q[v], w[0], x);
                    let sum = self.dot_lane::<1>(sum, w[1], x);
                    let sum = self.dot_lane::<2>(sum, w[2], x);
                    q[v] = self.dot_lane::<3>(sum, w[3], x);
                }
            }
        }
        q
    }
}
