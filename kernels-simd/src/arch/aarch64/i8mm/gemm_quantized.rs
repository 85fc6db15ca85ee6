//! Panel products with FEAT_I8MM: tiles of two rows and two tokens.

use core::arch::aarch64::*;

use super::token::I8mm;
use crate::arch::aarch64::gemm_quantized::{load, load_input, subtract_bias};
use crate::arch::aarch64::neon::token::{Neon, neon};
use crate::generic::gemm_quantized::{Columns, PanelIsa, Products, Tokens, tiles};
use crate::generic::pack::{Quants, Scatter};
use crate::generic::panel::Panel;
use crate::generic::simd::Vectors;

impl Vectors for I8mm {
    type Simd = Neon;
    #[inline(always)]
    fn simd(self) -> Neon {
        Neon
    }
}

impl Scatter for I8mm {}

impl PanelIsa for I8mm {
    const TILE: usize = 4;

    /// Eight columns of two rows side by side: where two quads held rows `4i ..`, the first now
    /// holds the first two rows' columns of both, the second those of the last two.
    #[inline(always)]
    fn arrange<P: Quants>(self, panel: &mut Panel) {
        subtract_bias::<P>(panel);
        for [even, odd] in panel.quants.as_chunks_mut::<2>().0 {
            let rows = even.as_chunks_mut::<4>().0.iter_mut().zip(odd.as_chunks_mut::<4>().0);
            for (even, odd) in rows {
                let (p, q) = (even.as_mut_ptr().cast::<i32>(), odd.as_mut_ptr().cast::<i32>());
                // SAFETY: `even` and `odd` are 16 bytes each, and the panel aligned to more than
                // an i32; the target has NEON.
                unsafe {
                    let (even, odd) = (vld1q_s32(p), vld1q_s32(q));
                    vst1q_s32(p, vzip1q_s32(even, odd));
                    vst1q_s32(q, vzip2q_s32(even, odd));
                }
            }
        }
    }

    #[inline(always)]
    fn tile<P: Quants>(self, panel: &Panel, mut tokens: Tokens<'_>) {
        tiles::<_, P, 2, 4>(self, panel, &mut tokens);
        tiles::<_, P, 2, 2>(self, panel, &mut tokens);
        tiles::<_, P, 2, 1>(self, panel, &mut tokens);
    }

    #[inline(always)]
    fn products<P: Quants, const V: usize, const T: usize, const Q: usize>(
        self,
        Columns { w, first, x, .. }: Columns<'_, T, Q>,
    ) -> Products<int32x4_t, V, T> {
        let zero = neon!(vdupq_n_s32(0));
        // Of each vector of rows: the first two and the last two; even tokens hold both tokens.
        let mut tiles = [[[zero; 2]; V]; T];
        for (k, w) in w.as_chunks::<4>().0.iter().enumerate() {
            let x = x.map(|x| load_input(x.as_chunks().0.get(k).unwrap_or(&[[0; 4]; 4])));
            for v in 0..V {
                let w = w.each_ref().map(|w| load(w, first + 4 * v));
                for t in (0..T).step_by(2) {
                    let (even, odd) = (x[t], x[if t + 1 < T { t + 1 } else { t }]);
                    let (x0, x1) = (first_octets(even, odd), last_octets(even, odd));
                    let [low, high] = tiles[t][v];
                    tiles[t][v] = [
                        self.matmul(self.matmul(low, w[0], x0), w[2], x1),
                        self.matmul(self.matmul(high, w[1], x0), w[3], x1),
                    ];
                }
            }
        }
        let mut q = [[zero; V]; T];
        for t in 0..T {
            for v in 0..V {
                let [low, high] = tiles[t - t % 2][v];
                q[t][v] = if t % 2 == 0 {
                    neon!(vuzp1q_s32(low, high))
                } else {
                    neon!(vuzp2q_s32(low, high))
                };
            }
        }
        q
    }
}

#[inline(always)]
fn first_octets(a: int8x16_t, b: int8x16_t) -> int8x16_t {
    neon!(vreinterpretq_s8_s64(vzip1q_s64(vreinterpretq_s64_s8(a), vreinterpretq_s64_s8(b))))
}

#[inline(always)]
fn last_octets(a: int8x16_t, b: int8x16_t) -> int8x16_t {
    neon!(vreinterpretq_s8_s64(vzip2q_s64(vreinterpretq_s64_s8(a), vreinterpretq_s64_s8(b))))
}
