//! Panels of float weights for every instruction set with AVX2: squares of eight transposed in
//! registers.

use core::arch::x86_64::*;

use super::gemv_float::LoadF32;
use super::token::{Avx2, avx2};
use crate::generic::gemm_float::{FloatPanelIsa, SQUARE};

impl Avx2 {
    /// [`FloatPanelIsa::transpose`].
    #[inline(always)]
    pub(in crate::arch::x86) fn transpose<W: LoadF32>(
        self,
        w: [&[W; SQUARE]; SQUARE],
        columns: [&mut [f32; SQUARE]; SQUARE],
    ) {
        let [a, b, c, d, e, f, g, h] = w.map(|w| W::load8(self, w));
        let (low, high) = (self.transpose_quads(a, b, c, d), self.transpose_quads(e, f, g, h));
        for (k, column) in columns.into_iter().enumerate() {
            let (low, high) = (low[k % 4], high[k % 4]);
            let values = match k {
                0..4 => avx2!(self, _mm256_permute2f128_ps::<0x20>(low, high)),
                _ => avx2!(self, _mm256_permute2f128_ps::<0x31>(low, high)),
            };
            self.store_f32x8(values, column);
        }
    }

    /// Columns 0 and 4 of four rows, 1 and 5, and so on.
    #[inline(always)]
    fn transpose_quads(self, a: __m256, b: __m256, c: __m256, d: __m256) -> [__m256; 4] {
        avx2!(self, {
            let (ab, cd) = (_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d));
            let (ab_high, cd_high) = (_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d));
            [
                _mm256_shuffle_ps::<0x44>(ab, cd),
                _mm256_shuffle_ps::<0xee>(ab, cd),
                _mm256_shuffle_ps::<0x44>(ab_high, cd_high),
                _mm256_shuffle_ps::<0xee>(ab_high, cd_high),
            ]
        })
    }
}

impl<W: LoadF32> FloatPanelIsa<W> for Avx2 {
    #[inline(always)]
    fn transpose(self, w: [&[W; SQUARE]; SQUARE], columns: [&mut [f32; SQUARE]; SQUARE]) {
        self.transpose(w, columns);
    }
    #[inline(always)]
    fn get(w: W) -> f32 {
        w.get()
    }
}
