//! Dot products of one weight row with one to four input rows, in 256-bit vectors: AVX2, and the
//! two VNNI extensions, which differ in one instruction.

use core::arch::x86_64::*;

use super::activation::Avx2;
use super::unpack::avx2;
use crate::arch::x86::{AHEAD, prefetch};
use crate::block::{BF16, F16, F32, GROUPS, InputBlock, QK};
use crate::generic::gemm_float::{FloatPanelIsa, SQUARE};
use crate::generic::gemv::RowDot;

/// f32 values of one vector.
pub(in crate::arch::x86) const LANES: usize = 8;

/// Proof that the machine runs AVX2, FMA and F16C, and what else the byte products take. Its
/// methods are inlined into functions that enable these features.
pub(in crate::arch::x86) trait ByteDot: Copy {
    /// Adds to each 32-bit lane four products of an unsigned byte, at most 127, and a signed one.
    fn dot(self, acc: __m256i, unsigned: __m256i, signed: __m256i) -> __m256i;
}

/// What weights subtract from every product of their quants: `scale * (by . sums)` for each group,
/// `sums` being the input's.
pub(super) struct Offsets {
    /// For each 16 values.
    pub by: __m256i,
    /// For each group of 32.
    pub scale: __m256,
}

impl Offsets {
    #[inline(always)]
    fn subtract(&self, x: &InputBlock, sum: __m256) -> __m256 {
        avx2!({
            let scale = _mm256_mul_ps(self.scale, load_f32(&x.d));
            let offset = _mm256_madd_epi16(self.by, load_sums(&x.sums));
            _mm256_fnmadd_ps(scale, _mm256_cvtepi32_ps(offset), sum)
        })
    }
}

/// The scales of a chunk's groups of 32, and what they subtract.
pub(super) struct Scales {
    pub of_groups: __m256,
    pub offsets: Option<Offsets>,
}

impl Scales {
    /// Subtracts the offsets from `sum`; gives the scales of the groups' products.
    #[inline(always)]
    fn begin(&self, x: &InputBlock, sum: &mut __m256) -> [f32; GROUPS] {
        let mut scaled = [0.0; GROUPS];
        let s = avx2!(_mm256_mul_ps(self.of_groups, load_f32(&x.d)));
        // SAFETY: the array holds the 8 values that are written.
        unsafe { _mm256_storeu_ps(scaled.as_mut_ptr(), s) };
        if let Some(offsets) = &self.offsets {
            *sum = offsets.subtract(x, *sum);
        }
        scaled
    }
}

/// Adds a chunk's products. `dot(g, x)` are those of group `g` and every token's bytes.
#[inline(always)]
pub(super) fn dot_groups<const T: usize>(
    scales: &Scales,
    dot: impl Fn(usize, &mut [__m256i; T]),
    x: [&InputBlock; T],
    sums: &mut [__m256; T],
) {
    let mut scaled = [[0.0; GROUPS]; T];
    for ((scaled, x), sum) in scaled.iter_mut().zip(x).zip(sums.iter_mut()) {
        *scaled = scales.begin(x, sum);
    }
    // Loading one value into every lane takes no vector unit. From a register, where the compiler
    // would keep the values, it takes two shuffles.
    let scaled = core::hint::black_box(&scaled);
    // A lone token's eight additions are a chain too long for a processor to look ahead of.
    let mut odd = avx2!(_mm256_setzero_ps());
    for g in 0..GROUPS {
        let mut products = [avx2!(_mm256_setzero_si256()); T];
        for (product, x) in products.iter_mut().zip(x) {
            *product = load_group(x, g);
        }
        dot(g, &mut products);
        for ((scaled, q), sum) in scaled.iter().zip(products).zip(sums.iter_mut()) {
            let sum = if T == 1 && g % 2 == 1 { &mut odd } else { sum };
            let scale = avx2!(_mm256_set1_ps(scaled[g % GROUPS]));
            *sum = avx2!(_mm256_fmadd_ps(scale, _mm256_cvtepi32_ps(q), *sum));
        }
    }
    if let (1, Some(sum)) = (T, sums.first_mut()) {
        *sum = avx2!(_mm256_add_ps(*sum, odd));
    }
}

/// Signed weights times every token's bytes, four products a lane.
#[inline(always)]
pub(super) fn dot_signed<B: ByteDot, const T: usize>(b: B, w: __m256i, x: &mut [__m256i; T]) {
    for x in x.iter_mut() {
        *x = avx2!(_mm256_sign_epi8(*x, w));
    }
    dot_unsigned(b, avx2!(_mm256_abs_epi8(w)), x);
}

/// As [`dot_signed`], with weights that are not negative.
#[inline(always)]
pub(super) fn dot_unsigned<B: ByteDot, const T: usize>(b: B, w: __m256i, x: &mut [__m256i; T]) {
    for x in x {
        *x = b.dot(avx2!(_mm256_setzero_si256()), w, *x);
    }
}

/// As [`dot_groups`], for the single group `g`: the rows of narrow matrices are not whole chunks,
/// and filling a chunk up costs more than its products. `bias` is subtracted from every byte.
#[inline(always)]
pub(super) fn dot_group<B: ByteDot, const T: usize>(
    b: B,
    [d, w]: [__m256i; 2],
    bias: Option<i32>,
    g: usize,
    x: [&InputBlock; T],
    sums: &mut [__m256; T],
) {
    let d = avx2!(_mm256_cvtph_ps(_mm256_castsi256_si128(d)));
    for (x, sum) in x.into_iter().zip(sums) {
        let quants = load_group(x, g);
        let q = match bias {
            None => b.dot(
                avx2!(_mm256_setzero_si256()),
                avx2!(_mm256_abs_epi8(w)),
                avx2!(_mm256_sign_epi8(quants, w)),
            ),
            Some(bias) => {
                let [s0, s1] = x.half_sums(g).map(i32::from);
                let offset = avx2!(_mm_cvtsi32_si128(-bias * (s0 + s1)));
                b.dot(avx2!(_mm256_zextsi128_si256(offset)), w, quants)
            }
        };
        let scale = avx2!(_mm256_mul_ps(d, _mm256_set1_ps(x.d[g % GROUPS])));
        *sum = avx2!(_mm256_fmadd_ps(scale, _mm256_cvtepi32_ps(q), *sum));
    }
}

/// The quants of group `g` (below [`GROUPS`]).
#[inline(always)]
pub(in crate::arch::x86) fn load_group(x: &InputBlock, g: usize) -> __m256i {
    let group = &x.qs.as_chunks::<QK>().0[g % GROUPS];
    // SAFETY: the array holds the 32 bytes that are read.
    unsafe { _mm256_loadu_si256(group.as_ptr().cast()) }
}

#[inline(always)]
fn load_f32(x: &[f32; LANES]) -> __m256 {
    // SAFETY: the array holds the 32 bytes that are read.
    unsafe { _mm256_loadu_ps(x.as_ptr()) }
}

#[inline(always)]
fn load_sums(x: &[i16; 16]) -> __m256i {
    // SAFETY: the array holds the 32 bytes that are read.
    unsafe { _mm256_loadu_si256(x.as_ptr().cast()) }
}

#[inline(always)]
pub(in crate::arch::x86) fn horizontal_sum(v: __m256) -> f32 {
    avx2!({
        let v = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
        let v = _mm_add_ps(v, _mm_movehl_ps(v, v));
        _mm_cvtss_f32(_mm_add_ss(v, _mm_movehdup_ps(v)))
    })
}

/// A float storage type whose values load eight at a time as f32.
pub(in crate::arch::x86) trait LoadF32: Copy {
    /// The values, exactly.
    fn load8(w: &[Self; LANES]) -> __m256;
    /// One value, exactly.
    fn get(self) -> f32;
}

impl LoadF32 for F32 {
    #[inline(always)]
    fn load8(w: &[Self; LANES]) -> __m256 {
        // SAFETY: the array holds the 32 bytes that are read.
        unsafe { _mm256_loadu_ps(w.as_ptr().cast()) }
    }
    #[inline(always)]
    fn get(self) -> f32 {
        F32::get(self)
    }
}

impl LoadF32 for F16 {
    #[inline(always)]
    fn load8(w: &[Self; LANES]) -> __m256 {
        // SAFETY: the array holds the 16 bytes that are read.
        let half = unsafe { _mm_loadu_si128(w.as_ptr().cast()) };
        avx2!(_mm256_cvtph_ps(half))
    }
    #[inline(always)]
    fn get(self) -> f32 {
        F16::get(self)
    }
}

impl LoadF32 for BF16 {
    #[inline(always)]
    fn load8(w: &[Self; LANES]) -> __m256 {
        // SAFETY: the array holds the 16 bytes that are read.
        let half = unsafe { _mm_loadu_si128(w.as_ptr().cast()) };
        avx2!(_mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(half))))
    }
    #[inline(always)]
    fn get(self) -> f32 {
        BF16::get(self)
    }
}

/// [`FloatPanelIsa::transpose`] for every set with AVX2.
#[inline(always)]
pub(in crate::arch::x86) fn transpose<W: LoadF32>(
    w: [&[W; LANES]; LANES],
    columns: [&mut [f32; LANES]; LANES],
) {
    let [a, b, c, d, e, f, g, h] = w.map(W::load8);
    let (low, high) = (transpose_quads(a, b, c, d), transpose_quads(e, f, g, h));
    for (k, column) in columns.into_iter().enumerate() {
        let (low, high) = (low[k % 4], high[k % 4]);
        let values = match k {
            0..4 => avx2!(_mm256_permute2f128_ps::<0x20>(low, high)),
            _ => avx2!(_mm256_permute2f128_ps::<0x31>(low, high)),
        };
        // SAFETY: the array holds the 32 bytes that are written.
        unsafe { _mm256_storeu_ps(column.as_mut_ptr(), values) };
    }
}

/// Columns 0 and 4 of four rows, 1 and 5, and so on.
#[inline(always)]
fn transpose_quads(a: __m256, b: __m256, c: __m256, d: __m256) -> [__m256; 4] {
    avx2!({
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

impl<W: LoadF32> FloatPanelIsa<W> for Avx2 {
    type Simd = Avx2;
    #[inline(always)]
    fn simd(self) -> Avx2 {
        self
    }
    #[inline(always)]
    fn transpose(self, w: [&[W; SQUARE]; SQUARE], columns: [&mut [f32; SQUARE]; SQUARE]) {
        transpose(w, columns);
    }
    #[inline(always)]
    fn get(w: W) -> f32 {
        w.get()
    }
}

/// Float weights of any storage against f32.
#[derive(Clone, Copy)]
pub(in crate::arch::x86) struct FloatRows(pub Avx2);

/// Steps side by side, and chains of multiply-adds with less than four tokens.
const UNROLL: usize = 2;

impl<W: LoadF32> RowDot<W, f32> for FloatRows {
    #[inline(always)]
    fn dot<const R: usize, const T: usize>(&self, w: [&[W]; R], x: [&[f32]; T]) -> [[f32; T]; R] {
        let mut sums = [[[avx2!(_mm256_setzero_ps()); UNROLL]; T]; R];
        // Many tokens are long enough at these rows for the next ones to come.
        let ahead = if T < 4 { AHEAD } else { R * size_of_val(w[0]) };
        let rows = w.map(|w| w.as_chunks::<{ UNROLL * LANES }>());
        let inputs = x.map(|x| x.as_chunks::<{ UNROLL * LANES }>());
        let whole = rows.iter().map(|(chunks, _)| chunks.len());
        let whole = whole.chain(inputs.iter().map(|(chunks, _)| chunks.len())).min().unwrap_or(0);
        for i in 0..whole {
            // SAFETY: `whole` is the length of the shortest of these slices.
            let w = rows.map(|(w, _)| unsafe { w.get_unchecked(i) });
            // SAFETY: as above.
            let x = inputs.map(|(x, _)| unsafe { x.get_unchecked(i) });
            w.iter().for_each(|w| prefetch(*w, ahead));
            for step in 0..UNROLL {
                // The weights of a step and one input at a time: what the registers hold.
                let mut loaded = [avx2!(_mm256_setzero_ps()); R];
                for (loaded, w) in loaded.iter_mut().zip(&w) {
                    *loaded = W::load8(&w.as_chunks().0[step]);
                }
                for (t, x) in x.iter().enumerate() {
                    let x = load_f32(&x.as_chunks().0[step]);
                    for (w, sums) in loaded.iter().zip(&mut sums) {
                        // Four tokens are chains enough, and leave registers for three rows.
                        let sum = &mut sums[t][if T < 4 { step } else { 0 }];
                        *sum = avx2!(_mm256_fmadd_ps(*w, x, *sum));
                    }
                }
            }
        }
        let mut totals = [[0.0; T]; R];
        for (((_, w), sums), totals) in rows.iter().zip(&sums).zip(&mut totals) {
            for (((_, x), [a, b]), total) in inputs.iter().zip(sums).zip(totals) {
                *total = horizontal_sum(avx2!(_mm256_add_ps(*a, *b))) + dot_rest(w, x);
            }
        }
        totals
    }
}

/// Less than a step.
#[inline(always)]
fn dot_rest<W: LoadF32>(w: &[W], x: &[f32]) -> f32 {
    let (w, w_rest) = w.as_chunks::<LANES>();
    let (x, x_rest) = x.as_chunks::<LANES>();
    let mut sum = avx2!(_mm256_setzero_ps());
    for (w, x) in w.iter().zip(x) {
        sum = avx2!(_mm256_fmadd_ps(W::load8(w), load_f32(x), sum));
    }
    let mut total = horizontal_sum(sum);
    for (&w, &x) in w_rest.iter().zip(x_rest) {
        total += w.get() * x;
    }
    total
}
