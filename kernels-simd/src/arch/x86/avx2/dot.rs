//! Dot products of a weight row's bytes with one to four input rows, in 256-bit vectors: AVX2, and
//! AVX-VNNI, which differs in one instruction.

use core::arch::x86_64::*;

use super::token::{Avx2, avx2};
use super::unpack::{Offsets, Scales};
use crate::block::{GROUPS, InputBlock, QK};

/// Proof that the machine runs AVX2, FMA and F16C, and what else the byte products take. Its
/// methods are inlined into functions that enable these features.
pub(in crate::arch::x86) trait ByteDot: Copy {
    /// What is not a byte product.
    fn avx2(self) -> Avx2;
    /// Adds to each 32-bit lane four products of an unsigned byte, at most 127, and a signed one.
    fn dot(self, acc: __m256i, unsigned: __m256i, signed: __m256i) -> __m256i;
}

impl ByteDot for Avx2 {
    #[inline(always)]
    fn avx2(self) -> Avx2 {
        self
    }

    /// Pairs of products fit 16 bits: 2 * 127 * 127, and 2 * 128 * 127 for the magnitude of -128.
    #[inline(always)]
    fn dot(self, acc: __m256i, unsigned: __m256i, signed: __m256i) -> __m256i {
        avx2!(self, {
            let pairs = _mm256_maddubs_epi16(unsigned, signed);
            _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
        })
    }
}

/// The integer products of a chunk's groups. A closure is one too, as long as it is small: closures
/// are compiled without the features of their surroundings unless they are inlined, which only a
/// method can ask for.
pub(super) trait GroupProducts<const T: usize> {
    /// Replaces every token's bytes of group `g` by their products with the weights, four a lane.
    fn products(&self, g: usize, x: &mut [__m256i; T]);
}

impl<F: Fn(usize, &mut [__m256i; T]), const T: usize> GroupProducts<T> for F {
    #[inline(always)]
    fn products(&self, g: usize, x: &mut [__m256i; T]) {
        self(g, x);
    }
}

impl Avx2 {
    /// The quants of group `g` (below [`GROUPS`]).
    #[inline(always)]
    pub(in crate::arch::x86) fn load_group(self, x: &InputBlock, g: usize) -> __m256i {
        self.load_256(&x.qs.as_chunks::<QK>().0[g % GROUPS])
    }

    /// The accumulator less the product of the weights' offsets.
    #[inline(always)]
    fn subtract_offsets(self, offsets: &Offsets, x: &InputBlock, sum: __m256) -> __m256 {
        avx2!(self, {
            let scale = _mm256_mul_ps(offsets.scale, self.load_f32x8(&x.d));
            let offset = _mm256_madd_epi16(offsets.by, self.load_256(&x.sums));
            _mm256_fnmadd_ps(scale, _mm256_cvtepi32_ps(offset), sum)
        })
    }

    /// Subtracts the offsets from the accumulator; gives the scales of the groups' products.
    #[inline(always)]
    fn scale_input(self, scales: &Scales, x: &InputBlock, sum: &mut __m256) -> [f32; GROUPS] {
        let mut scaled = [0.0; GROUPS];
        let s = avx2!(self, _mm256_mul_ps(scales.of_groups, self.load_f32x8(&x.d)));
        self.store_f32x8(s, &mut scaled);
        if let Some(offsets) = &scales.offsets {
            *sum = self.subtract_offsets(offsets, x, *sum);
        }
        scaled
    }

    /// Adds a chunk's products to the accumulators.
    #[inline(always)]
    pub(super) fn dot_groups<const T: usize>(
        self,
        scales: &Scales,
        dot: impl GroupProducts<T>,
        x: [&InputBlock; T],
        sums: &mut [__m256; T],
    ) {
        let mut scaled = [[0.0; GROUPS]; T];
        for ((scaled, x), sum) in scaled.iter_mut().zip(x).zip(sums.iter_mut()) {
            *scaled = self.scale_input(scales, x, sum);
        }
        // A broadcast from memory needs no vector unit; from a register, where the compiler would
        // keep the values, it is two shuffles.
        let scaled = core::hint::black_box(&scaled);
        // A lone token's eight dependent additions are longer than out-of-order execution can hide:
        // two accumulators.
        let mut odd = avx2!(self, _mm256_setzero_ps());
        for g in 0..GROUPS {
            let mut products = [avx2!(self, _mm256_setzero_si256()); T];
            for (product, x) in products.iter_mut().zip(x) {
                *product = self.load_group(x, g);
            }
            dot.products(g, &mut products);
            for ((scaled, q), sum) in scaled.iter().zip(products).zip(sums.iter_mut()) {
                let sum = if T == 1 && g % 2 == 1 { &mut odd } else { sum };
                let scale = avx2!(self, _mm256_set1_ps(scaled[g % GROUPS]));
                *sum = avx2!(self, _mm256_fmadd_ps(scale, _mm256_cvtepi32_ps(q), *sum));
            }
        }
        if let (1, Some(sum)) = (T, sums.first_mut()) {
            *sum = avx2!(self, _mm256_add_ps(*sum, odd));
        }
    }
}

/// Signed weights times every token's bytes, four products a lane.
#[inline(always)]
pub(super) fn dot_signed<B: ByteDot, const T: usize>(b: B, w: __m256i, x: &mut [__m256i; T]) {
    let isa = b.avx2();
    for x in x.iter_mut() {
        *x = avx2!(isa, _mm256_sign_epi8(*x, w));
    }
    dot_unsigned(b, avx2!(isa, _mm256_abs_epi8(w)), x);
}

/// As [`dot_signed`], with weights that are not negative.
#[inline(always)]
pub(super) fn dot_unsigned<B: ByteDot, const T: usize>(b: B, w: __m256i, x: &mut [__m256i; T]) {
    for x in x {
        *x = b.dot(avx2!(b.avx2(), _mm256_setzero_si256()), w, *x);
    }
}

/// As [`Avx2::dot_groups`], for the single group `g`: the rows of narrow matrices are not whole
/// chunks, and padding a chunk costs more than its products. `bias` is subtracted from every byte.
#[inline(always)]
pub(super) fn dot_group<B: ByteDot, const T: usize>(
    b: B,
    [d, w]: [__m256i; 2],
    bias: Option<i32>,
    g: usize,
    x: [&InputBlock; T],
    sums: &mut [__m256; T],
) {
    let isa = b.avx2();
    let d = avx2!(isa, _mm256_cvtph_ps(_mm256_castsi256_si128(d)));
    for (x, sum) in x.into_iter().zip(sums) {
        let quants = isa.load_group(x, g);
        let q = match bias {
            None => b.dot(
                avx2!(isa, _mm256_setzero_si256()),
                avx2!(isa, _mm256_abs_epi8(w)),
                avx2!(isa, _mm256_sign_epi8(quants, w)),
            ),
            Some(bias) => {
                let [s0, s1] = x.half_sums(g).map(i32::from);
                let offset = avx2!(isa, _mm_cvtsi32_si128(-bias * (s0 + s1)));
                b.dot(avx2!(isa, _mm256_zextsi128_si256(offset)), w, quants)
            }
        };
        let scale = avx2!(isa, _mm256_mul_ps(d, _mm256_set1_ps(x.d[g % GROUPS])));
        *sum = avx2!(isa, _mm256_fmadd_ps(scale, _mm256_cvtepi32_ps(q), *sum));
    }
}
