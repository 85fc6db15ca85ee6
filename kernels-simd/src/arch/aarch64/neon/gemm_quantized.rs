//! Panel products with NEON alone, in vectors of four rows.

use core::arch::aarch64::*;

use super::token::{Neon, neon};
use crate::arch::aarch64::gemm_quantized::{load, load_input, subtract_bias};
use crate::arch::aarch64::vec128::{add_neighbours, add_upper_products};
use crate::generic::gemm_quantized::{Columns, PanelIsa, Products, Tokens, tiles};
use crate::generic::pack::{Quants, Scatter};
use crate::generic::panel::Panel;

impl Scatter for Neon {}

impl PanelIsa for Neon {
    const TILE: usize = 4;

    #[inline(always)]
    fn arrange<P: Quants>(self, panel: &mut Panel) {
        subtract_bias::<P>(panel);
    }

    #[inline(always)]
    fn tile<P: Quants>(self, panel: &Panel, mut tokens: Tokens<'_>) {
        tiles::<_, P, 2, 2>(self, panel, &mut tokens);
        tiles::<_, P, 2, 1>(self, panel, &mut tokens);
    }

    /// Products of two bytes are summed in 16 bits as long as they fit: two of a byte's, eight of
    /// up to six bits.
    #[inline(always)]
    fn products<P: Quants, const V: usize, const T: usize, const Q: usize>(
        self,
        Columns { w, first, x, .. }: Columns<'_, T, Q>,
    ) -> Products<int32x4_t, V, T> {
        let zero = neon!(vdupq_n_s32(0));
        let mut wide = [[[zero; 2]; V]; T];
        let mut narrow = [[[neon!(vdupq_n_s16(0)); 2]; V]; T];
        for (w, k) in w.as_chunks::<4>().0.iter().zip(0..) {
            let x = x.map(|x| x.as_chunks::<4>().0.get(k).map_or(zero, four_quads));
            for (pair, w) in w.as_chunks::<2>().0.iter().enumerate() {
                let x =
                    x.map(|x| if pair == 0 { broadcast::<0, 1>(x) } else { broadcast::<2, 3>(x) });
                for v in 0..V {
                    let w = [load(&w[0], first + 4 * v), load(&w[1], first + 4 * v)];
                    for t in 0..T {
                        if magnitude::<P>() > 32 {
                            let [low, high] = products_of_pairs(w, x[t]);
                            let [q0, q1] = wide[t][v];
                            wide[t][v] = neon!([vpadalq_s16(q0, low), vpadalq_s16(q1, high)]);
                        } else {
                            narrow[t][v] = add_products(narrow[t][v], w, x[t]);
                        }
                    }
                }
            }
        }
        let mut q = [[zero; V]; T];
        for t in 0..T {
            for v in 0..V {
                q[t][v] = if magnitude::<P>() > 32 {
                    let [low, high] = wide[t][v];
                    add_neighbours(low, high)
                } else {
                    let [low, high] = narrow[t][v];
                    if magnitude::<P>() as usize * 127 * 2 * Q <= i16::MAX as usize {
                        neon!(vpaddlq_s16(vpaddq_s16(low, high)))
                    } else {
                        add_neighbours(neon!(vpaddlq_s16(low)), neon!(vpaddlq_s16(high)))
                    }
                };
            }
        }
        q
    }
}

/// The largest magnitude of a quant without its bias.
const fn magnitude<P: Quants>() -> i16 {
    let above = P::LARGEST as i16 - P::BIAS;
    if above > P::BIAS { above } else { P::BIAS }
}

#[inline(always)]
fn four_quads(x: &[[i8; 4]; 4]) -> int32x4_t {
    neon!(vreinterpretq_s32_s8(load_input(x)))
}

/// Two columns of four in every lane.
#[inline(always)]
fn broadcast<const A: i32, const B: i32>(x: int32x4_t) -> [int8x16_t; 2] {
    neon!([
        vreinterpretq_s8_s32(vdupq_laneq_s32::<A>(x)),
        vreinterpretq_s8_s32(vdupq_laneq_s32::<B>(x)),
    ])
}

/// The products of the lower and of the upper two rows.
#[inline(always)]
fn products_of_pairs([w0, w1]: [int8x16_t; 2], [x0, x1]: [int8x16_t; 2]) -> [int16x8_t; 2] {
    neon!({
        let low = vmull_s8(vget_low_s8(w0), vget_low_s8(x0));
        let high = vmull_high_s8(w0, x0);
        [vmlal_s8(low, vget_low_s8(w1), vget_low_s8(x1)), add_upper_products(high, w1, x1)]
    })
}

/// As [`products_of_pairs`], added to sums.
#[inline(always)]
fn add_products(
    [low, high]: [int16x8_t; 2],
    [w0, w1]: [int8x16_t; 2],
    [x0, x1]: [int8x16_t; 2],
) -> [int16x8_t; 2] {
    neon!({
        let low = vmlal_s8(low, vget_low_s8(w0), vget_low_s8(x0));
        let high = add_upper_products(high, w0, x0);
        [vmlal_s8(low, vget_low_s8(w1), vget_low_s8(x1)), add_upper_products(high, w1, x1)]
    })
}
