//! Dot products of bytes with FEAT_DotProd.

use core::arch::aarch64::*;

use super::token::Dotprod;
use crate::arch::aarch64::neon::token::neon;
use crate::arch::aarch64::vec128::{ByteDot, sums};

impl ByteDot for Dotprod {
    #[inline(always)]
    fn groups(self, _largest: u8, w: [[int8x16_t; 2]; 4], x: [[int8x16_t; 2]; 4]) -> int32x4_t {
        let mut q = [neon!(vdupq_n_s32(0)); 4];
        for (q, ([w0, w1], [x0, x1])) in q.iter_mut().zip(w.into_iter().zip(x)) {
            *q = self.dot(self.dot(*q, w0, x0), w1, x1);
        }
        sums(q)
    }

    #[inline(always)]
    fn halves(self, _largest: u8, w: [int8x16_t; 4], x: [int8x16_t; 4]) -> int32x4_t {
        let mut q = [neon!(vdupq_n_s32(0)); 4];
        for (q, (w, x)) in q.iter_mut().zip(w.into_iter().zip(x)) {
            *q = self.dot(*q, w, x);
        }
        sums(q)
    }
}
