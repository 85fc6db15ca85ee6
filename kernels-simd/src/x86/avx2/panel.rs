//! Panel products with AVX2, in vectors of eight rows.

use core::arch::x86_64::*;

use super::activation::Avx2;
use super::unpack::avx2;
use crate::input::InputBlock;
use crate::pack::Pack;
use crate::panel::{Panel, PanelIsa, Products, Quad, Sums, tile};

impl PanelIsa for Avx2 {
    type Lanes = Avx2;
    type I = __m256i;
    const TILE: usize = 4;

    #[inline(always)]
    fn lanes(self) -> Avx2 {
        self
    }

    #[inline(always)]
    fn to_f32(self, q: __m256i) -> __m256 {
        avx2!(_mm256_cvtepi32_ps(q))
    }

    #[inline(always)]
    fn tile<P: Pack>(self, panel: &Panel, x: &[&InputBlock], sums: &mut [Sums]) {
        match (x, sums) {
            (&[a, b, c, d], [s0, s1, s2, s3]) => {
                tile::<_, P, 1, 4>(self, panel, [a, b, c, d], [s0, s1, s2, s3]);
            }
            (x, sums) => {
                for (x, sums) in x.iter().zip(sums) {
                    tile::<_, P, 1, 1>(self, panel, [x], [sums]);
                }
            }
        }
    }

    /// Products of two bytes are summed in 16 bits, which hold eight pairs of a 4-bit quant's;
    /// wider quants are summed more often, and bytes in two halves of 4 bits.
    #[inline(always)]
    fn products<P: Pack, const V: usize, const T: usize, const Q: usize>(
        self,
        w: &[Quad; Q],
        first: usize,
        x: [&[[i8; 4]; Q]; T],
        sums: [[i16; 2]; T],
        bias: [i16; 2],
    ) -> Products<__m256i, V, T> {
        let mut q = sums.map(|sums| [offset(sums, bias); V]);
        let limit = i16::MAX as usize / (2 * 127);
        let quads = match P::LARGEST {
            255 => Q,
            largest => limit / largest as usize,
        };
        for start in (0..Q).step_by(quads) {
            let end = if start + quads < Q { start + quads } else { Q };
            let zero = avx2!(_mm256_setzero_si256());
            let mut low = [[zero; V]; T];
            let mut high = [[zero; V]; T];
            for k in start..end {
                for v in 0..V {
                    let w = load(&w[k % Q], first + 8 * v);
                    for ((low, high), x) in low.iter_mut().zip(&mut high).zip(x) {
                        let x = avx2!(_mm256_set1_epi32(i32::from_le_bytes(
                            x[k % Q].map(i8::cast_unsigned)
                        )));
                        if P::LARGEST == 255 {
                            let upper = avx2!(_mm256_srli_epi16::<4>(w));
                            low[v] = add_pairs(low[v], nibble(w), x);
                            high[v] = add_pairs(high[v], nibble(upper), x);
                        } else {
                            low[v] = add_pairs(low[v], w, x);
                        }
                    }
                }
            }
            for (q, (low, high)) in q.iter_mut().zip(low.iter().zip(&high)) {
                for (q, (low, high)) in q.iter_mut().zip(low.iter().zip(high)) {
                    *q = avx2!(_mm256_add_epi32(*q, _mm256_madd_epi16(*low, _mm256_set1_epi16(1))));
                    if P::LARGEST == 255 {
                        let high = avx2!(_mm256_madd_epi16(*high, _mm256_set1_epi16(16)));
                        *q = avx2!(_mm256_add_epi32(*q, high));
                    }
                }
            }
        }
        q
    }
}

/// The four columns of eight rows from `first` on.
#[inline(always)]
pub(in crate::x86) fn load(w: &Quad, first: usize) -> __m256i {
    let rows = w.get(first..first + 8).unwrap_or(&[[0; 4]; 8]);
    // SAFETY: the slice is 8 quads of 4 bytes.
    unsafe { _mm256_loadu_si256(rows.as_ptr().cast()) }
}

#[inline(always)]
fn nibble(w: __m256i) -> __m256i {
    avx2!(_mm256_and_si256(w, _mm256_set1_epi8(15)))
}

#[inline(always)]
fn add_pairs(sum: __m256i, w: __m256i, x: __m256i) -> __m256i {
    avx2!(_mm256_add_epi16(sum, _mm256_maddubs_epi16(w, x)))
}

/// `-bias . sums` in every lane.
#[inline(always)]
pub(in crate::x86) fn offset(sums: [i16; 2], bias: [i16; 2]) -> __m256i {
    let pair = |[low, high]: [i16; 2]| i32::from(low) & 0xffff | i32::from(high) << 16;
    let (bias, sums) = (pair(bias.map(|b| -b)), pair(sums));
    avx2!(_mm256_madd_epi16(_mm256_set1_epi32(bias), _mm256_set1_epi32(sums)))
}
