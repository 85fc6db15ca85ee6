//! The proof that the machine runs AVX-512 (F, BW, DQ, VL), and its vectors: sixteen lanes.

use core::arch::x86_64::*;

use bytemuck::{NoUninit, Pod};
use half::{bf16, f16};

use crate::arch::x86::avx2::token::Avx2;
use crate::generic::simd::{MAGIC, Simd};

/// Compiles functions with the features that [`Avx512`] proves: the one place that names them.
macro_rules! compile {
    ($($item:item)*) => {
        $(#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")] $item)*
    };
}
pub(super) use compile;

/// Calls intrinsics of AVX-512 F, BW, DQ and VL. The first argument is the [`Avx512`] that allows
/// it.
macro_rules! avx512 {
    ($token:expr, $call:expr) => {{
        let _: $crate::arch::x86::avx512::token::Avx512 = $token;
        // SAFETY: there is an `Avx512`, so the machine runs these features.
        unsafe { $call }
    }};
}
pub(in crate::arch::x86) use avx512;

/// Proof that the machine runs AVX-512 F, BW, DQ and VL, and AVX2, FMA and F16C. Its methods are
/// inlined into functions that enable these features.
#[derive(Clone, Copy)]
pub(in crate::arch::x86) struct Avx512 {
    avx2: Avx2,
}

impl Avx512 {
    compile! {
        /// The compiler lets only functions call this that are compiled with these features, and
        /// those are called only where [`detect`](crate::arch::x86::detect) has found them.
        #[inline]
        pub(in crate::arch::x86) fn new() -> Self {
            Avx512 { avx2: Avx2::new() }
        }
    }

    /// The proof of AVX2, FMA and F16C.
    #[inline(always)]
    pub(in crate::arch::x86) fn avx2(self) -> Avx2 {
        self.avx2
    }

    /// 64 bytes.
    #[inline(always)]
    pub(in crate::arch::x86) fn load_512<T: NoUninit>(self, bytes: &T) -> __m512i {
        const { assert!(size_of::<T>() == 64) };
        // SAFETY: `self` is the proof of the features; `bytes` has the 64 bytes that are read,
        // checked above, all of which hold values (`NoUninit`); no alignment is needed.
        unsafe { _mm512_loadu_si512(core::ptr::from_ref(bytes).cast()) }
    }

    /// 64 bytes.
    #[inline(always)]
    pub(in crate::arch::x86) fn store_512<T: Pod>(self, v: __m512i, to: &mut T) {
        const { assert!(size_of::<T>() == 64) };
        // SAFETY: `self` is the proof of the features; `to` has room for the 64 bytes that are
        // written, checked above, any of which are valid (`Pod`); no alignment is needed.
        unsafe { _mm512_storeu_si512(core::ptr::from_mut(to).cast(), v) }
    }
}

impl Avx512 {
    /// Rounds to nearest, ties to even: adds just under half of the last kept bit, and that bit.
    /// The canonical NaN does not carry into the kept bits.
    #[inline(always)]
    fn to_bf16(self, v: __m512) -> __m256i {
        avx512!(self, {
            let bits = _mm512_castps_si512(v);
            let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
            let bits = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
            _mm512_cvtepi32_epi16(_mm512_srli_epi32::<16>(bits))
        })
    }

    /// The elements at even places and those at odd ones.
    #[inline(always)]
    fn to_bf16_pair(self, [even, odd]: [__m512; 2]) -> __m512i {
        avx512!(self, {
            let even = _mm512_srli_epi32::<16>(self.rounded_to_bf16(even));
            _mm512_mask_blend_epi16(0xaaaa_aaaa, even, self.rounded_to_bf16(odd))
        })
    }

    /// In the upper halves, as [`Avx512::to_bf16`] rounds.
    #[inline(always)]
    fn rounded_to_bf16(self, v: __m512) -> __m512i {
        avx512!(self, {
            let bits = _mm512_castps_si512(v);
            let odd = _mm512_test_epi32_mask(bits, _mm512_set1_epi32(1 << 16));
            let down = _mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff));
            _mm512_mask_add_epi32(down, odd, bits, _mm512_set1_epi32(0x8000))
        })
    }

    #[inline(always)]
    fn to_f16(self, v: __m512) -> __m256i {
        avx512!(self, _mm512_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(v))
    }
}

impl Simd for Avx512 {
    type F32 = __m512;
    type I32 = __m512i;
    type Mask = __mmask16;
    const COUNT: usize = 16;
    const STREAMS: bool = true;
    const MERGES: bool = true;

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        avx512!(self, _mm512_set1_ps(x))
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        avx512!(self, _mm512_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        avx512!(self, _mm512_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        avx512!(self, _mm512_mul_ps(a, b))
    }
    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        avx512!(self, _mm512_div_ps(a, b))
    }
    #[inline(always)]
    fn neg(self, a: __m512) -> __m512 {
        avx512!(self, _mm512_xor_ps(a, _mm512_set1_ps(-0.0)))
    }
    #[inline(always)]
    fn neg_abs(self, a: __m512) -> __m512 {
        avx512!(self, _mm512_or_ps(a, _mm512_set1_ps(-0.0)))
    }
    #[inline(always)]
    fn fma(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        avx512!(self, _mm512_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        avx512!(self, _mm512_min_ps(a, b))
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        avx512!(self, _mm512_max_ps(a, b))
    }
    #[inline(always)]
    fn lt(self, a: __m512, b: __m512) -> __mmask16 {
        avx512!(self, _mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b))
    }
    #[inline(always)]
    fn is_nan(self, a: __m512) -> __mmask16 {
        avx512!(self, _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a, a))
    }
    #[inline(always)]
    fn select(self, mask: __mmask16, a: __m512, b: __m512) -> __m512 {
        avx512!(self, _mm512_mask_blend_ps(mask, b, a))
    }
    #[inline(always)]
    fn to_f32(self, q: __m512i) -> __m512 {
        avx512!(self, _mm512_cvtepi32_ps(q))
    }
    #[inline(always)]
    fn all(self, mask: __mmask16) -> bool {
        mask == u16::MAX
    }
    #[inline(always)]
    fn sum(self, v: __m512) -> f32 {
        avx512!(self, _mm512_reduce_add_ps(v))
    }
    #[inline(always)]
    fn exp2_of_magic(self, t: __m512) -> __m512 {
        // A shift would need the one port that divisions need too.
        let k = self.sub(t, self.splat(MAGIC));
        avx512!(self, _mm512_scalef_ps(_mm512_set1_ps(1.0), k))
    }

    /// Whatever is below 2^-149 becomes 0.
    #[inline(always)]
    fn select_exp2(self, mask: __mmask16, k: __m512, other: __m512) -> __m512 {
        avx512!(self, _mm512_mask_scalef_ps(other, mask, _mm512_set1_ps(1.0), k))
    }

    /// From 2^23 to 2^24, the sign is 0 and the exponent 150, 0b10010110: every greater one, that
    /// of infinity and NaN too, has a one where this has a zero.
    #[inline(always)]
    fn all_below_2_24<const U: usize>(self, ts: &[__m512; U]) -> bool {
        avx512!(self, {
            let mut ones = _mm512_setzero_si512();
            for &t in ts {
                ones = _mm512_or_si512(ones, _mm512_castps_si512(t));
            }
            let zeros = _mm512_set1_epi32(1 << 31 | 0b0110_1001 << 23);
            _mm512_test_epi32_mask(ones, zeros) == 0
        })
    }

    #[inline(always)]
    unsafe fn load_f32(self, p: *const f32) -> __m512 {
        // SAFETY: `self` is the proof of the features; `p` has 16 elements, as this requires.
        unsafe { _mm512_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn load_bf16(self, p: *const bf16) -> __m512 {
        // SAFETY: `self` is the proof of the features; `p` has 16 elements, as this requires.
        unsafe {
            let upper = _mm512_cvtepu16_epi32(_mm256_loadu_si256(p.cast()));
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(upper))
        }
    }
    #[inline(always)]
    unsafe fn load_f16(self, p: *const f16) -> __m512 {
        // SAFETY: `self` is the proof of the features; `p` has 16 elements, as this requires.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(p.cast())) }
    }
    #[inline(always)]
    unsafe fn store_f32(self, v: __m512, p: *mut f32) {
        // SAFETY: `self` is the proof of the features; `p` has 16 elements, as this requires.
        unsafe { _mm512_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn store_bf16(self, v: __m512, p: *mut bf16) {
        // SAFETY: `self` is the proof of the features; `p` has room as this requires.
        unsafe { _mm256_storeu_si256(p.cast(), self.to_bf16(v)) }
    }
    #[inline(always)]
    unsafe fn store_f16(self, v: __m512, p: *mut f16) {
        // SAFETY: `self` is the proof of the features; `p` has room as this requires.
        unsafe { _mm256_storeu_si256(p.cast(), self.to_f16(v)) }
    }
    #[inline(always)]
    unsafe fn stream_f32(self, v: __m512, p: *mut f32) {
        // SAFETY: `self` is the proof of the features; `p` has room as this requires.
        unsafe { _mm512_stream_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn stream_bf16(self, v: __m512, p: *mut bf16) {
        // SAFETY: `self` is the proof of the features; `p` has room as this requires.
        unsafe { _mm256_stream_si256(p.cast(), self.to_bf16(v)) }
    }
    #[inline(always)]
    unsafe fn stream_f16(self, v: __m512, p: *mut f16) {
        // SAFETY: `self` is the proof of the features; `p` has room as this requires.
        unsafe { _mm256_stream_si256(p.cast(), self.to_f16(v)) }
    }
    #[inline(always)]
    unsafe fn load_bf16_pair(self, p: *const bf16) -> [__m512; 2] {
        // SAFETY: `self` is the proof of the features; `p` has 32 elements, as this requires.
        unsafe {
            let both = _mm512_loadu_si512(p.cast());
            let odd = _mm512_and_si512(both, _mm512_set1_epi32(0xffff_0000_u32 as i32));
            [_mm512_castsi512_ps(_mm512_slli_epi32::<16>(both)), _mm512_castsi512_ps(odd)]
        }
    }
    #[inline(always)]
    unsafe fn store_bf16_pair(self, vs: [__m512; 2], p: *mut bf16) {
        // SAFETY: `self` is the proof of the features; `p` has room as this requires.
        unsafe { _mm512_storeu_si512(p.cast(), self.to_bf16_pair(vs)) }
    }
    #[inline(always)]
    unsafe fn stream_bf16_pair(self, vs: [__m512; 2], p: *mut bf16) {
        // SAFETY: `self` is the proof of the features; `p` has room as this requires.
        unsafe { _mm512_stream_si512(p.cast(), self.to_bf16_pair(vs)) }
    }
    #[inline(always)]
    fn fence(self) {
        avx512!(self, _mm_sfence())
    }
}
