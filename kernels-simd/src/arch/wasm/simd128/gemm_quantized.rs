//! Panel products in WebAssembly, in vectors of four rows.

use core::arch::wasm32::*;

use super::token::Simd128;
use super::vec128::add_neighbours;
use crate::generic::gemm_quantized::{Columns, PanelIsa, Products, Tokens, tiles};
use crate::generic::pack::{Quants, Scatter};
use crate::generic::panel::{Panel, Quad, rows};

impl Scatter for Simd128 {}

impl PanelIsa for Simd128 {
    const TILE: usize = 4;

    #[inline(always)]
    fn tile<P: Quants>(self, panel: &Panel, mut tokens: Tokens<'_>) {
        tiles::<_, P, 1, 4>(self, panel, &mut tokens);
        tiles::<_, P, 1, 1>(self, panel, &mut tokens);
    }

    /// In 16 bits, which hold a quant with its bias or without: there is no product of four bytes,
    /// but one of two words.
    #[inline(always)]
    fn products<P: Quants, const V: usize, const T: usize, const Q: usize>(
        self,
        Columns { w, first, x, sums, bias }: Columns<'_, T, Q>,
    ) -> Products<v128, V, T> {
        let zero = i32x4_splat(0);
        let mut halves = [[[zero; 2]; V]; T];
        for (k, w) in w.iter().enumerate() {
            let x = x.map(|x| {
                let quad = i32::from_le_bytes(x[k % Q].map(i8::cast_unsigned));
                i16x8_extend_low_i8x16(i32x4_splat(quad))
            });
            for v in 0..V {
                let w = load(w, first + 4 * v);
                let (low, high) = (u16x8_extend_low_u8x16(w), u16x8_extend_high_u8x16(w));
                for (halves, x) in halves.iter_mut().zip(x) {
                    let [q0, q1] = halves[v];
                    halves[v] = [
                        i32x4_add(q0, i32x4_dot_i16x8(low, x)),
                        i32x4_add(q1, i32x4_dot_i16x8(high, x)),
                    ];
                }
            }
        }
        let mut q = [[zero; V]; T];
        for ((q, halves), [s0, s1]) in q.iter_mut().zip(halves).zip(sums) {
            let offset = i32::from(bias[0]) * i32::from(s0) + i32::from(bias[1]) * i32::from(s1);
            for (q, [low, high]) in q.iter_mut().zip(halves) {
                *q = i32x4_sub(add_neighbours(low, high), i32x4_splat(offset));
            }
        }
        q
    }
}

/// The four columns of four rows from `first` on.
#[inline(always)]
fn load(w: &Quad, first: usize) -> v128 {
    let rows = rows::<4>(w, first);
    // SAFETY: the array is 4 quads of 4 bytes.
    unsafe { v128_load(rows.as_ptr().cast()) }
}
