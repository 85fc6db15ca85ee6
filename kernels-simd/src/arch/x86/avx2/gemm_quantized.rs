//! Panel products with AVX2, in vectors of eight rows.

use core::arch::x86_64::*;

use super::token::{Avx2, avx2};
use crate::generic::gemm_quantized::{Columns, PanelIsa, Products, Tokens, tiles};
use crate::generic::pack::{Quants, SCATTERED, Scatter, scatter};
use crate::generic::panel::{Panel, Quad, rows};

/// Four words of eight rows at a time.
impl Scatter for Avx2 {
    #[inline(always)]
    fn scatter(self, rows: [&[u8]; SCATTERED], quads: &mut [Quad], first: usize) {
        let (fours, rest) = quads.as_chunks_mut::<4>();
        for (i, quads) in fours.iter_mut().enumerate() {
            let mut words = [&[0; 16]; SCATTERED];
            for (words, row) in words.iter_mut().zip(rows) {
                *words = row.as_chunks().0.get(i).unwrap_or(*words);
            }
            for (quad, words) in quads.iter_mut().zip(self.transpose_words(words)) {
                let slots = quad.as_flattened_mut().get_mut(4 * first..);
                if let Some(slots) = slots.and_then(|slots| slots.first_chunk_mut()) {
                    self.store_256(words, slots);
                }
            }
        }
        for (r, row) in rows.into_iter().enumerate() {
            scatter(row.get(16 * fours.len()..).unwrap_or_default(), rest, first + r);
        }
    }
}

impl Avx2 {
    /// Words of eight rows: the first of all, then the second, and so on.
    #[inline(always)]
    fn transpose_words(self, rows: [&[u8; 16]; SCATTERED]) -> [__m256i; 4] {
        let [a, b, c, d, e, f, g, h] = rows;
        let (ae, bf) = (self.load_2_x_128(a, e), self.load_2_x_128(b, f));
        let (cg, dh) = (self.load_2_x_128(c, g), self.load_2_x_128(d, h));
        avx2!(self, {
            // Words 0 and 1, and 2 and 3, of two rows in each half; then of four.
            let (ab01, ab23) = (_mm256_unpacklo_epi32(ae, bf), _mm256_unpackhi_epi32(ae, bf));
            let (cd01, cd23) = (_mm256_unpacklo_epi32(cg, dh), _mm256_unpackhi_epi32(cg, dh));
            [
                _mm256_unpacklo_epi64(ab01, cd01),
                _mm256_unpackhi_epi64(ab01, cd01),
                _mm256_unpacklo_epi64(ab23, cd23),
                _mm256_unpackhi_epi64(ab23, cd23),
            ]
        })
    }

    /// 16 bytes and 16 bytes.
    #[inline(always)]
    fn load_2_x_128(self, low: &[u8; 16], high: &[u8; 16]) -> __m256i {
        avx2!(self, _mm256_set_m128i(self.load_128(high), self.load_128(low)))
    }
}

impl PanelIsa for Avx2 {
    const TILE: usize = 4;

    /// Bytes without their bias: [`Avx2::signed_products`] multiplies signed ones.
    #[inline(always)]
    fn arrange<P: Quants>(self, panel: &mut Panel) {
        if P::LARGEST == 255 {
            for q in panel.quants.as_flattened_mut().as_flattened_mut() {
                *q ^= 0x80;
            }
        }
    }

    #[inline(always)]
    fn tile<P: Quants>(self, panel: &Panel, mut tokens: Tokens<'_>) {
        if P::LARGEST == 255 {
            tiles::<_, P, 2, 4>(self, panel, &mut tokens);
        } else {
            tiles::<_, P, 1, 4>(self, panel, &mut tokens);
        }
        tiles::<_, P, 1, 1>(self, panel, &mut tokens);
    }

    /// Products of two bytes are summed in 16 bits, which hold eight pairs of a 4-bit quant's;
    /// wider quants are summed more often.
    #[inline(always)]
    fn products<P: Quants, const V: usize, const T: usize, const Q: usize>(
        self,
        Columns { w, first, x, sums, bias }: Columns<'_, T, Q>,
    ) -> Products<__m256i, V, T> {
        if P::LARGEST == 255 {
            return self.signed_products(w, first, x);
        }
        let mut q = sums.map(|sums| [self.offset(sums, bias); V]);
        let quads = i16::MAX as usize / (2 * 127) / P::LARGEST as usize;
        for start in (0..Q).step_by(quads) {
            let end = if start + quads < Q { start + quads } else { Q };
            let mut pairs = [[avx2!(self, _mm256_setzero_si256()); V]; T];
            for k in start..end {
                for v in 0..V {
                    let w = self.load_quads(&w[k % Q], first + 8 * v);
                    for (pairs, x) in pairs.iter_mut().zip(x) {
                        let products =
                            avx2!(self, _mm256_maddubs_epi16(w, self.splat_quad(x[k % Q])));
                        pairs[v] = avx2!(self, _mm256_add_epi16(pairs[v], products));
                    }
                }
            }
            for (q, pairs) in q.iter_mut().zip(pairs) {
                for (q, pairs) in q.iter_mut().zip(pairs) {
                    *q = self.add_pairs(*q, pairs);
                }
            }
        }
        q
    }
}

impl Avx2 {
    /// Of bytes from -128 to 127 and inputs from -127 to 127. The instruction multiplies an unsigned
    /// by a signed byte, so the input takes the weight's sign: 16 bits hold two such products.
    #[inline(always)]
    fn signed_products<const V: usize, const T: usize, const Q: usize>(
        self,
        w: &[Quad; Q],
        first: usize,
        x: [&[[i8; 4]; Q]; T],
    ) -> Products<__m256i, V, T> {
        let mut q = [[avx2!(self, _mm256_setzero_si256()); V]; T];
        for k in 0..Q {
            let w: [__m256i; V] = core::array::from_fn(|v| self.load_quads(&w[k], first + 8 * v));
            for (q, x) in q.iter_mut().zip(x) {
                let x = self.splat_quad(x[k % Q]);
                for (q, w) in q.iter_mut().zip(w) {
                    let x = avx2!(self, _mm256_sign_epi8(x, w));
                    let pairs = avx2!(self, _mm256_maddubs_epi16(_mm256_abs_epi8(w), x));
                    *q = self.add_pairs(*q, pairs);
                }
            }
        }
        q
    }

    /// Four bytes in every lane.
    #[inline(always)]
    pub(in crate::arch::x86) fn splat_quad(self, x: [i8; 4]) -> __m256i {
        avx2!(self, _mm256_set1_epi32(i32::from_le_bytes(x.map(i8::cast_unsigned))))
    }

    /// `sum` and, in each lane, the two numbers of 16 bits.
    #[inline(always)]
    fn add_pairs(self, sum: __m256i, pairs: __m256i) -> __m256i {
        avx2!(self, _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1))))
    }

    /// The four columns of eight rows from `first` on.
    #[inline(always)]
    pub(in crate::arch::x86) fn load_quads(self, w: &Quad, first: usize) -> __m256i {
        self.load_256(rows::<8>(w, first))
    }

    /// `-bias . sums` in every lane.
    #[inline(always)]
    pub(in crate::arch::x86) fn offset(self, sums: [i16; 2], bias: [i16; 2]) -> __m256i {
        let pair = |[low, high]: [i16; 2]| i32::from(low) & 0xffff | i32::from(high) << 16;
        let (bias, sums) = (pair(bias.map(|b| -b)), pair(sums));
        avx2!(self, _mm256_madd_epi16(_mm256_set1_epi32(bias), _mm256_set1_epi32(sums)))
    }
}
