//! The proof that the machine runs AVX2, FMA and F16C, and its vectors: eight lanes.

use core::arch::x86_64::*;

use bytemuck::NoUninit;
use half::{bf16, f16};

use crate::generic::simd::Simd;

/// Compiles functions with the features that [`Avx2`] proves: the one place that names them.
macro_rules! compile {
    ($($item:item)*) => { $(#[target_feature(enable = "avx2,fma,f16c")] $item)* };
}
pub(in crate::arch::x86) use compile;

/// Calls intrinsics of AVX2, FMA and F16C. The first argument is the [`Avx2`] that allows it.
macro_rules! avx2 {
    ($token:expr, $call:expr) => {{
        let _: $crate::arch::x86::avx2::token::Avx2 = $token;
        // SAFETY: there is an `Avx2`, so the machine runs these features.
        unsafe { $call }
    }};
}
pub(in crate::arch::x86) use avx2;

/// Proof that the machine runs AVX2, FMA and F16C. Its methods are inlined into functions that
/// enable these features.
#[derive(Clone, Copy)]
pub(in crate::arch::x86) struct Avx2(());

impl Avx2 {
    compile! {
        /// The compiler lets only functions call this that are compiled with these features, and
        /// those are called only where [`detect`](crate::arch::x86::detect) has found them.
        #[inline]
        pub(in crate::arch::x86) fn new() -> Self {
            Avx2(())
        }
    }
}

/// Loads and sums that the kernels share. No intrinsic used here needs alignment.
impl Avx2 {
    /// 16 bytes.
    #[inline(always)]
    pub(in crate::arch::x86) fn load_128<T: NoUninit>(self, bytes: &T) -> __m128i {
        const { assert!(size_of::<T>() == 16) };
        // SAFETY: `self` is the proof of the features; `bytes` has the 16 bytes that are read,
        // checked above, and `NoUninit` says that all hold values.
        unsafe { _mm_loadu_si128(core::ptr::from_ref(bytes).cast()) }
    }

    /// 32 bytes.
    #[inline(always)]
    pub(in crate::arch::x86) fn load_256<T: NoUninit>(self, bytes: &T) -> __m256i {
        const { assert!(size_of::<T>() == 32) };
        // SAFETY: `self` is the proof of the features; `bytes` has the 32 bytes that are read,
        // checked above, and `NoUninit` says that all hold values.
        unsafe { _mm256_loadu_si256(core::ptr::from_ref(bytes).cast()) }
    }

    /// The reverse of [`Avx2::load_256`].
    #[inline(always)]
    pub(in crate::arch::x86) fn store_256(self, v: __m256i, to: &mut [u8; 32]) {
        // SAFETY: `self` is the proof of the features; the array has the 32 bytes that are written.
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), v) }
    }

    /// Eight floats.
    #[inline(always)]
    pub(in crate::arch::x86) fn load_f32x8(self, x: &[f32; 8]) -> __m256 {
        // SAFETY: `self` is the proof of the features; the array has the 8 values that are read.
        unsafe { _mm256_loadu_ps(x.as_ptr()) }
    }

    /// The reverse of [`Avx2::load_f32x8`].
    #[inline(always)]
    pub(in crate::arch::x86) fn store_f32x8(self, v: __m256, to: &mut [f32; 8]) {
        // SAFETY: `self` is the proof of the features; the array has room for the 8 values that
        // are written.
        unsafe { _mm256_storeu_ps(to.as_mut_ptr(), v) }
    }

    /// The sum of all lanes.
    #[inline(always)]
    pub(in crate::arch::x86) fn horizontal_sum(self, v: __m256) -> f32 {
        avx2!(self, {
            let v = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
            let v = _mm_add_ps(v, _mm_movehl_ps(v, v));
            _mm_cvtss_f32(_mm_add_ss(v, _mm_movehdup_ps(v)))
        })
    }
}

impl Avx2 {
    /// Rounds to nearest, ties to even, in the upper halves: adds just under half of the last kept
    /// bit, and that bit. The canonical NaN does not carry into the kept bits.
    #[inline(always)]
    fn rounded_to_bf16(self, v: __m256) -> __m256i {
        avx2!(self, {
            let bits = _mm256_castps_si256(v);
            let odd = _mm256_and_si256(_mm256_srli_epi32::<16>(bits), _mm256_set1_epi32(1));
            _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)))
        })
    }

    /// The elements at even places and those at odd ones.
    #[inline(always)]
    fn to_bf16_pair(self, [even, odd]: [__m256; 2]) -> __m256i {
        avx2!(self, {
            let even = _mm256_srli_epi32::<16>(self.rounded_to_bf16(even));
            _mm256_blend_epi16::<0b1010_1010>(even, self.rounded_to_bf16(odd))
        })
    }

    #[inline(always)]
    fn to_bf16(self, v: __m256) -> __m128i {
        avx2!(self, {
            let upper = _mm256_srli_epi32::<16>(self.rounded_to_bf16(v));
            // The pack works within 128-bit halves; quarters 0 and 2 hold the result.
            let packed =
                _mm256_permute4x64_epi64::<0b00_00_10_00>(_mm256_packus_epi32(upper, upper));
            _mm256_castsi256_si128(packed)
        })
    }

    #[inline(always)]
    fn to_f16(self, v: __m256) -> __m128i {
        avx2!(self, _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(v))
    }
}

impl Simd for Avx2 {
    type F32 = __m256;
    type I32 = __m256i;
    type Mask = __m256;
    const COUNT: usize = 8;
    const STREAMS: bool = true;

    #[inline(always)]
    fn splat(self, x: f32) -> __m256 {
        avx2!(self, _mm256_set1_ps(x))
    }
    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        avx2!(self, _mm256_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        avx2!(self, _mm256_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        avx2!(self, _mm256_mul_ps(a, b))
    }
    #[inline(always)]
    fn div(self, a: __m256, b: __m256) -> __m256 {
        avx2!(self, _mm256_div_ps(a, b))
    }
    #[inline(always)]
    fn neg(self, a: __m256) -> __m256 {
        avx2!(self, _mm256_xor_ps(a, _mm256_set1_ps(-0.0)))
    }
    #[inline(always)]
    fn neg_abs(self, a: __m256) -> __m256 {
        avx2!(self, _mm256_or_ps(a, _mm256_set1_ps(-0.0)))
    }
    #[inline(always)]
    fn fma(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        avx2!(self, _mm256_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn min(self, a: __m256, b: __m256) -> __m256 {
        avx2!(self, _mm256_min_ps(a, b))
    }
    #[inline(always)]
    fn max(self, a: __m256, b: __m256) -> __m256 {
        avx2!(self, _mm256_max_ps(a, b))
    }
    #[inline(always)]
    fn lt(self, a: __m256, b: __m256) -> __m256 {
        avx2!(self, _mm256_cmp_ps::<_CMP_LT_OQ>(a, b))
    }
    #[inline(always)]
    fn is_nan(self, a: __m256) -> __m256 {
        avx2!(self, _mm256_cmp_ps::<_CMP_UNORD_Q>(a, a))
    }
    #[inline(always)]
    fn select(self, mask: __m256, a: __m256, b: __m256) -> __m256 {
        avx2!(self, _mm256_blendv_ps(b, a, mask))
    }
    #[inline(always)]
    fn to_f32(self, q: __m256i) -> __m256 {
        avx2!(self, _mm256_cvtepi32_ps(q))
    }
    #[inline(always)]
    fn all(self, mask: __m256) -> bool {
        avx2!(self, _mm256_movemask_ps(mask) == 0xff)
    }
    #[inline(always)]
    fn sum(self, v: __m256) -> f32 {
        self.horizontal_sum(v)
    }
    #[inline(always)]
    fn exp2_of_magic(self, t: __m256) -> __m256 {
        avx2!(self, _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_castps_si256(t))))
    }

    #[inline(always)]
    unsafe fn load_f32(self, p: *const f32) -> __m256 {
        // SAFETY: `self` is the proof of the features; `p` has 8 elements, as this requires.
        unsafe { _mm256_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn load_bf16(self, p: *const bf16) -> __m256 {
        // SAFETY: `self` is the proof of the features; `p` has 8 elements, as this requires.
        unsafe {
            let upper = _mm256_cvtepu16_epi32(_mm_loadu_si128(p.cast()));
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(upper))
        }
    }
    #[inline(always)]
    unsafe fn load_f16(self, p: *const f16) -> __m256 {
        // SAFETY: `self` is the proof of the features; `p` has 8 elements, as this requires.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(p.cast())) }
    }
    #[inline(always)]
    unsafe fn store_f32(self, v: __m256, p: *mut f32) {
        // SAFETY: `self` is the proof of the features; `p` has 8 elements, as this requires.
        unsafe { _mm256_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn store_bf16(self, v: __m256, p: *mut bf16) {
        // SAFETY: `self` is the proof of the features; `p` has room as this requires.
        unsafe { _mm_storeu_si128(p.cast(), self.to_bf16(v)) }
    }
    #[inline(always)]
    unsafe fn store_f16(self, v: __m256, p: *mut f16) {
        // SAFETY: `self` is the proof of the features; `p` has room as this requires.
        unsafe { _mm_storeu_si128(p.cast(), self.to_f16(v)) }
    }
    #[inline(always)]
    unsafe fn stream_f32(self, v: __m256, p: *mut f32) {
        // SAFETY: `self` is the proof of the features; `p` has room as this requires.
        unsafe { _mm256_stream_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn stream_bf16(self, v: __m256, p: *mut bf16) {
        // SAFETY: `self` is the proof of the features; `p` has room as this requires.
        unsafe { _mm_stream_si128(p.cast(), self.to_bf16(v)) }
    }
    #[inline(always)]
    unsafe fn stream_f16(self, v: __m256, p: *mut f16) {
        // SAFETY: `self` is the proof of the features; `p` has room as this requires.
        unsafe { _mm_stream_si128(p.cast(), self.to_f16(v)) }
    }
    #[inline(always)]
    unsafe fn load_bf16_pair(self, p: *const bf16) -> [__m256; 2] {
        // SAFETY: `self` is the proof of the features; `p` has 16 elements, as this requires.
        unsafe {
            let both = _mm256_loadu_si256(p.cast());
            let odd = _mm256_and_si256(both, _mm256_set1_epi32(0xffff_0000_u32 as i32));
            [_mm256_castsi256_ps(_mm256_slli_epi32::<16>(both)), _mm256_castsi256_ps(odd)]
        }
    }
    #[inline(always)]
    unsafe fn store_bf16_pair(self, vs: [__m256; 2], p: *mut bf16) {
        // SAFETY: `self` is the proof of the features; `p` has room as this requires.
        unsafe { _mm256_storeu_si256(p.cast(), self.to_bf16_pair(vs)) }
    }
    #[inline(always)]
    unsafe fn stream_bf16_pair(self, vs: [__m256; 2], p: *mut bf16) {
        // SAFETY: `self` is the proof of the features; `p` has room as this requires.
        unsafe { _mm256_stream_si256(p.cast(), self.to_bf16_pair(vs)) }
    }
    #[inline(always)]
    fn fence(self) {
        avx2!(self, _mm_sfence())
    }
}
