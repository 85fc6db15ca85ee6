//! Panel products with AVX-512 VNNI: two vectors of sixteen rows.

use core::arch::x86_64::*;

use super::token::{Avx512Vnni, vnni};
use crate::arch::x86::avx512::token::Avx512;
use crate::generic::gemm_quantized::{Columns, PanelIsa, Products, Tokens, tiles};
use crate::generic::pack::{Quants, SCATTERED, Scatter};
use crate::generic::panel::{Panel, Quad, rows};
use crate::generic::simd::Vectors;

impl Vectors for Avx512Vnni {
    type Simd = Avx512;
    #[inline(always)]
    fn simd(self) -> Avx512 {
        self.avx512()
    }
}

impl Scatter for Avx512Vnni {
    #[inline(always)]
    fn scatter(self, rows: [&[u8]; SCATTERED], quads: &mut [Quad], first: usize) {
        self.avx2().scatter(rows, quads, first);
    }
}

impl PanelIsa for Avx512Vnni {
    const TILE: usize = 6;

    #[inline(always)]
    fn tile<P: Quants>(self, panel: &Panel, mut tokens: Tokens<'_>) {
        tiles::<_, P, 2, 6>(self, panel, &mut tokens);
        tiles::<_, P, 2, 3>(self, panel, &mut tokens);
        tiles::<_, P, 2, 1>(self, panel, &mut tokens);
    }

    #[inline(always)]
    fn products<P: Quants, const V: usize, const T: usize, const Q: usize>(
        self,
        Columns { w, first, x, sums, bias }: Columns<'_, T, Q>,
    ) -> Products<__m512i, V, T> {
        let mut q = [[vnni!(self, _mm512_setzero_si512()); V]; T];
        for (q, sums) in q.iter_mut().zip(sums) {
            *q = [self.offset(sums, bias); V];
        }
        for k in 0..Q {
            for v in 0..V {
                let w = self.load_quads(&w[k], first + 16 * v);
                for (q, x) in q.iter_mut().zip(x) {
                    q[v] = self.dot(q[v], w, self.splat_quad(x[k]));
                }
            }
        }
        q
    }
}

impl Avx512Vnni {
    /// The four columns of sixteen rows from `first` on.
    #[inline(always)]
    fn load_quads(self, w: &Quad, first: usize) -> __m512i {
        self.avx512().load_512(rows::<16>(w, first))
    }

    /// Four bytes in every lane.
    #[inline(always)]
    fn splat_quad(self, x: [i8; 4]) -> __m512i {
        let x = i32::from_le_bytes(x.map(i8::cast_unsigned));
        vnni!(self, _mm512_set1_epi32(x))
    }

    /// `-bias . sums` in every lane.
    #[inline(always)]
    fn offset(self, sums: [i16; 2], bias: [i16; 2]) -> __m512i {
        let [[b0, b1], [s0, s1]] = [bias, sums].map(|pair| pair.map(i32::from));
        vnni!(self, _mm512_set1_epi32(-(b0 * s0 + b1 * s1)))
    }
}
