//! GEMV of Q2_K, Q3_K and IQ4_XS, with one to four input rows.

#![allow(non_camel_case_types)] // the formats' names

use super::Vec128;
use super::gemv_groups::values_of_codes;
use super::gemv_quantized::{LANES, halves, inputs, scales_of, sums};
use crate::block::{
    BlockIQ4_XS, BlockQ2_K, BlockQ3_K, GROUPS, HALVES, IQ4_VALUES, InputBlock, QK, QK_K,
};
use crate::generic::gemv::{ChunkDot, chunks_of_256};

/// 256 values of 2 bits, a scale and a min for each 16.
#[derive(Clone, Copy)]
pub(crate) struct Q2_K<A>(pub A);

impl<A: Vec128> ChunkDot for Q2_K<A> {
    chunks_of_256!(BlockQ2_K);
    sums!();

    /// Scales and mins join the integers: 32 * 3 * 127 * 15 fits 32 bits.
    #[inline(always)]
    fn add<const T: usize>(&self, w: &BlockQ2_K, x: [&InputBlock; T], sums: &mut [A::F32; T]) {
        let a = self.0;
        let mut block = [[a.splat(0.0); 2]; T];
        for h in 0..GROUPS / LANES {
            let both = w.scales.as_chunks::<8>().0[h].map(u8::cast_signed);
            let [even, odd] = a.even_odd_bytes(&both.map(|b| b & 15));
            let [even_mins, odd_mins] = a.even_odd_bytes(&both.map(|b| b >> 4 & 15));
            let [b, c, d, e] = quarters(a, &w.qs, h);
            for (x, [products, offsets]) in x.iter().zip(block.iter_mut()) {
                let [xb, xc, xd, xe] = inputs(a, x, h);
                let low = a.dot_halves(3, [b[0], c[0], d[0], e[0]], [xb[0], xc[0], xd[0], xe[0]]);
                let high = a.dot_halves(3, [b[1], c[1], d[1], e[1]], [xb[1], xc[1], xd[1], xe[1]]);
                let q = a.mul_add_i32(high, odd, a.mul_i32(low, even));
                let [even_sums, odd_sums] = a.even_odd(&x.sums.as_chunks().0[h]);
                let m = a.mul_add_i32(odd_sums, odd_mins, a.mul_i32(even_sums, even_mins));
                let d = scales_of(a, x, h);
                *products = a.mul_add(a.to_f32(q), d, *products);
                *offsets = a.mul_add(a.to_f32(m), d, *offsets);
            }
        }
        let (d, dmin) = (a.splat_f16(w.d.0), a.splat_f16(w.dmin.0));
        for ([products, offsets], sum) in block.into_iter().zip(sums) {
            *sum = a.mul_sub(offsets, dmin, a.mul_add(products, d, *sum));
        }
    }
}

/// 256 values of 3 bits, each less 4, a scale for each 16.
#[derive(Clone, Copy)]
pub(crate) struct Q3_K<A>(pub A);

impl<A: Vec128> ChunkDot for Q3_K<A> {
    chunks_of_256!(BlockQ3_K);
    sums!();

    /// Scales join the integers: 32 * 7 * 127 * 32 fits 32 bits.
    #[inline(always)]
    fn add<const T: usize>(&self, w: &BlockQ3_K, x: [&InputBlock; T], sums: &mut [A::F32; T]) {
        let a = self.0;
        let mut block = [a.splat(0.0); T];
        let scales = w.signed_scales();
        let less_4 = a.splat_i32(-4);
        for h in 0..GROUPS / LANES {
            let [even, odd] = a.even_odd_bytes(&scales.as_chunks::<8>().0[h]);
            let [b, c, d, e] = with_third_bits(a, quarters(a, &w.qs, h), &w.hmask, h);
            for (x, block) in x.iter().zip(block.iter_mut()) {
                let [xb, xc, xd, xe] = inputs(a, x, h);
                let [even_sums, odd_sums] = a.even_odd(&x.sums.as_chunks().0[h]);
                let q = a.dot_halves(7, [b[0], c[0], d[0], e[0]], [xb[0], xc[0], xd[0], xe[0]]);
                let low = a.mul_i32(a.mul_add_i32(even_sums, less_4, q), even);
                let q = a.dot_halves(7, [b[1], c[1], d[1], e[1]], [xb[1], xc[1], xd[1], xe[1]]);
                let q = a.mul_add_i32(a.mul_add_i32(odd_sums, less_4, q), odd, low);
                *block = a.mul_add(a.to_f32(q), scales_of(a, x, h), *block);
            }
        }
        let d = a.splat_f16(w.d.0);
        for (block, sum) in block.into_iter().zip(sums) {
            *sum = a.mul_add(block, d, *sum);
        }
    }
}

/// 256 codes, a scale for each 32.
#[derive(Clone, Copy)]
pub(crate) struct IQ4_XS<A>(pub A);

impl<A: Vec128> ChunkDot for IQ4_XS<A> {
    chunks_of_256!(BlockIQ4_XS);
    sums!();

    #[inline(always)]
    fn add<const T: usize>(&self, w: &BlockIQ4_XS, x: [&InputBlock; T], sums: &mut [A::F32; T]) {
        let a = self.0;
        let scales = w.scales();
        for (h, codes) in w.qs.as_chunks::<LANES>().0.iter().enumerate() {
            let scales = a.load_f32(&scales.as_chunks().0[h]);
            let [b, c, d, e] = codes;
            let values = &IQ4_VALUES;
            let w = [
                values_of_codes(a, values, b),
                values_of_codes(a, values, c),
                values_of_codes(a, values, d),
                values_of_codes(a, values, e),
            ];
            for (x, sum) in x.iter().zip(sums.iter_mut()) {
                let q = a.dot_groups(127, w, inputs(a, x, h));
                *sum = a.mul_add(a.to_f32(q), a.mul(scales, scales_of(a, x, h)), *sum);
            }
        }
    }
}

/// Groups `4 * h ..` of 256 quants of 2 bits.
#[inline(always)]
fn quarters<A: Vec128>(a: A, qs: &[u8; QK_K / 4], h: usize) -> [[A::Bytes; 2]; LANES] {
    let three = a.splat_bytes(3);
    let [low, high] = halves(&qs.as_chunks().0[h % 2]);
    let (low, high) = (a.load(low), a.load(high));
    [
        [a.and(low, three), a.and(high, three)],
        [a.and(a.shr::<2>(low), three), a.and(a.shr::<2>(high), three)],
        [a.and(a.shr::<4>(low), three), a.and(a.shr::<4>(high), three)],
        [a.shr::<6>(low), a.shr::<6>(high)],
    ]
}

/// Quants of groups `4 * h ..` with their bits of `high` above.
#[inline(always)]
fn with_third_bits<A: Vec128>(
    a: A,
    quants: [[A::Bytes; 2]; LANES],
    high: &[u8; QK_K / 8],
    h: usize,
) -> [[A::Bytes; 2]; LANES] {
    let [high0, high1] = halves::<u8>(high);
    let (high0, high1, third) = (a.load(high0), a.load(high1), a.splat_bytes(4));
    let mut quants = quants;
    for (g, [q0, q1]) in quants.iter_mut().enumerate() {
        let bit = a.splat_bytes(1 << (LANES * h + g));
        *q0 = a.select(third, a.test(high0, bit), *q0);
        *q1 = a.select(third, a.test(high1, bit), *q1);
    }
    quants
}

const _: () = assert!(HALVES == 16 && QK == 32, "a scale for each 16 values, inputs for each 32");
