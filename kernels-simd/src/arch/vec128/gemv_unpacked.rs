//! Products of the formats that have no tiles. Those in common use have a GEMV of their own; of the
//! others 256 weights are unpacked in plain Rust and multiplied from there, with one to four input
//! rows.

use super::gemv_groups::Groups;
use super::gemv_low_bits::{IQ4_XS, Q2_K, Q3_K};
use super::gemv_quantized::{LANES, halves, inputs, scales_of};
use super::{Quantize, Vec128};
use crate::block::{
    BlockIQ4_NL, BlockMXFP4, BlockQ4_1, BlockQ5_0, BlockQ5_1, DType, Format, GROUPS, HALVES,
    InputBlock, LookUp, QK, QK_K, Unpacked,
};
use crate::generic::dispatch::unpacked_product;
use crate::generic::gemm_quantized::PanelIsa;
use crate::generic::gemv::{Chunked, PANEL_TOKENS, RowDot, gemv};
use crate::generic::matmul::Gemm;

/// An instruction set, for looking bytes up.
pub(super) struct Looking<A>(pub A);

impl<A: Quantize> LookUp for Looking<A> {
    #[inline(always)]
    fn look_up(self, table: &[u8; 16], codes: &mut [u8; QK_K]) {
        let Looking(a) = self;
        let table = a.load(table);
        for codes in codes.as_chunks_mut::<16>().0 {
            let found = a.look_up(table, a.load(codes));
            // SAFETY: the array has room for the 16 bytes that are written.
            unsafe { a.store_to(found, codes.as_mut_ptr()) };
        }
    }
}

/// A product of a type that has no tiles; `format` is that type's.
#[inline(always)]
pub(crate) fn product_unpacked<A: Vec128 + PanelIsa>(
    a: A,
    g: Gemm<'_, u8, InputBlock>,
    dtype: DType,
    format: &Format,
) {
    if g.out.tokens() < PANEL_TOKENS {
        match dtype {
            DType::Q4_1 => {
                return gemv::<_, _, 1>(g.typed(), Chunked(Groups::<BlockQ4_1, A>::new(a)));
            }
            DType::Q5_0 => {
                return gemv::<_, _, 1>(g.typed(), Chunked(Groups::<BlockQ5_0, A>::new(a)));
            }
            DType::Q5_1 => {
                return gemv::<_, _, 1>(g.typed(), Chunked(Groups::<BlockQ5_1, A>::new(a)));
            }
            DType::IQ4_NL => {
                return gemv::<_, _, 1>(g.typed(), Chunked(Groups::<BlockIQ4_NL, A>::new(a)));
            }
            DType::MXFP4 => {
                return gemv::<_, _, 1>(g.typed(), Chunked(Groups::<BlockMXFP4, A>::new(a)));
            }
            DType::Q2_K => return gemv::<_, _, 1>(g.typed(), Chunked(Q2_K(a))),
            DType::Q3_K => return gemv::<_, _, 1>(g.typed(), Chunked(Q3_K(a))),
            DType::IQ4_XS => return gemv::<_, _, 1>(g.typed(), Chunked(IQ4_XS(a))),
            _ => {}
        }
    }
    unpacked_product(a, UnpackedRows { isa: a, format }, g, format);
}

/// Rows of a format.
#[derive(Clone, Copy)]
pub(crate) struct UnpackedRows<'a, A> {
    pub isa: A,
    pub format: &'a Format,
}

impl<A: Vec128> RowDot<u8, InputBlock> for UnpackedRows<'_, A> {
    #[inline(always)]
    fn dot<const R: usize, const T: usize>(
        &self,
        w: [&[u8]; R],
        x: [&[InputBlock]; T],
    ) -> [[f32; T]; R] {
        let mut sums = [[self.isa.splat(0.0); T]; R];
        let mut weights = Unpacked::ZERO;
        let chunks = x.iter().map(|x| x.len()).min().unwrap_or(0);
        for i in 0..chunks {
            // SAFETY: `chunks` is the length of the shortest of these slices.
            let x = x.map(|x| unsafe { x.get_unchecked(i) });
            for (w, sums) in w.into_iter().zip(sums.iter_mut()) {
                self.format.unpack(w, i, &mut weights);
                let bias = self.format.bias();
                for q in &mut weights.quants {
                    *q = q.wrapping_sub(bias);
                }
                if self.format.bytes {
                    self.add::<128, T>(&weights, x, sums);
                } else {
                    self.add::<31, T>(&weights, x, sums);
                }
            }
        }
        let mut totals = [[0.0; T]; R];
        for (totals, sums) in totals.iter_mut().zip(sums) {
            for (total, sum) in totals.iter_mut().zip(sums) {
                *total = self.isa.sum(sum);
            }
        }
        totals
    }
}

impl<A: Vec128> UnpackedRows<'_, A> {
    /// Adds the products of 256 signed weights, of magnitudes up to `LARGEST`, and every token's
    /// inputs.
    #[inline(always)]
    fn add<const LARGEST: u8, const T: usize>(
        &self,
        w: &Unpacked,
        x: [&InputBlock; T],
        sums: &mut [A::F32; T],
    ) {
        let a = self.isa;
        for (h, quants) in w.quants.as_chunks::<QK>().0.as_chunks::<LANES>().0.iter().enumerate() {
            let [b, c, d, e] = quants.each_ref().map(halves);
            let low = [a.load(b[0]), a.load(c[0]), a.load(d[0]), a.load(e[0])];
            let high = [a.load(b[1]), a.load(c[1]), a.load(d[1]), a.load(e[1])];
            let [low_scales, high_scales] = numbers(a, &w.scales, h);
            let [low_mins, high_mins] = numbers(a, &w.mins, h);
            for (x, sum) in x.iter().zip(sums.iter_mut()) {
                let d = scales_of(a, x, h);
                let [xb, xc, xd, xe] = inputs(a, x, h);
                let q = a.dot_halves(LARGEST, low, [xb[0], xc[0], xd[0], xe[0]]);
                *sum = a.mul_add(a.to_f32(q), a.mul(low_scales, d), *sum);
                let q = a.dot_halves(LARGEST, high, [xb[1], xc[1], xd[1], xe[1]]);
                *sum = a.mul_add(a.to_f32(q), a.mul(high_scales, d), *sum);
                if self.format.mins {
                    let [low, high] = a.even_odd(&x.sums.as_chunks().0[h % (GROUPS / LANES)]);
                    *sum = a.mul_sub(a.to_f32(low), a.mul(low_mins, d), *sum);
                    *sum = a.mul_sub(a.to_f32(high), a.mul(high_mins, d), *sum);
                }
            }
        }
    }
}

/// Scales or mins of groups `4 * h ..`: those of their first halves, and of their second ones.
#[inline(always)]
fn numbers<A: Vec128>(a: A, all: &[f32; HALVES], h: usize) -> [A::F32; 2] {
    let [a0, b0, a1, b1, a2, b2, a3, b3] = all.as_chunks::<8>().0[h % 2];
    [a.load_f32(&[a0, a1, a2, a3]), a.load_f32(&[b0, b1, b2, b3])]
}
