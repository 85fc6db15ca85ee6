//! Dot products of bytes with NEON alone: products of two bytes are summed in 16 bits as long as
//! they fit.

use core::arch::aarch64::*;

use super::token::{Neon, neon};
use crate::arch::aarch64::vec128::{ByteDot, add_neighbours, add_upper_products, sums};

/// The 16 products in eight lanes.
#[inline(always)]
fn products(w: int8x16_t, x: int8x16_t) -> int16x8_t {
    add_upper_products(neon!(vmull_s8(vget_low_s8(w), vget_low_s8(x))), w, x)
}

#[inline(always)]
fn add_products(sum: int16x8_t, w: int8x16_t, x: int8x16_t) -> int16x8_t {
    add_upper_products(neon!(vmlal_s8(sum, vget_low_s8(w), vget_low_s8(x))), w, x)
}

/// The sums of four vectors, the sums of neighbours of which fit 16 bits.
#[inline(always)]
fn sums_of_words([a, b, c, d]: [int16x8_t; 4]) -> int32x4_t {
    neon!({
        let (ab, cd) = (vpaddlq_s16(vpaddq_s16(a, b)), vpaddlq_s16(vpaddq_s16(c, d)));
        add_neighbours(ab, cd)
    })
}

impl ByteDot for Neon {
    /// A lane takes two products of bytes (2 * 128 * 127 fits 16 bits), and four of five bits, or
    /// sixteen of four, neighbours included.
    #[inline(always)]
    fn groups(self, largest: u8, w: [[int8x16_t; 2]; 4], x: [[int8x16_t; 2]; 4]) -> int32x4_t {
        let group = |i: usize| {
            let ([w0, w1], [x0, x1]) = (w[i], x[i]);
            add_products(products(w0, x0), w1, x1)
        };
        if largest <= 15 {
            let [a, b, c, d] = [group(0), group(1), group(2), group(3)];
            return neon!(vpaddlq_s16(vpaddq_s16(vpaddq_s16(a, b), vpaddq_s16(c, d))));
        }
        if largest <= 31 {
            return sums_of_words([group(0), group(1), group(2), group(3)]);
        }
        let wide = |i: usize| {
            let ([w0, w1], [x0, x1]) = (w[i], x[i]);
            neon!(vpadalq_s16(vpaddlq_s16(products(w0, x0)), products(w1, x1)))
        };
        sums([wide(0), wide(1), wide(2), wide(3)])
    }

    /// A lane takes four products of six bits, neighbours included.
    #[inline(always)]
    fn halves(self, largest: u8, w: [int8x16_t; 4], x: [int8x16_t; 4]) -> int32x4_t {
        let half = |i: usize| products(w[i], x[i]);
        if largest <= 63 {
            return sums_of_words([half(0), half(1), half(2), half(3)]);
        }
        let wide = |i: usize| neon!(vpaddlq_s16(half(i)));
        sums([wide(0), wide(1), wide(2), wide(3)])
    }
}
