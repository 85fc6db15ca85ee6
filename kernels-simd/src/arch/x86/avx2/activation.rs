//! AVX2 activations: eight lanes.

use core::arch::x86_64::*;

use half::{bf16, f16};

use crate::generic::activation_forward::{Table, activate, swiglu};
use crate::generic::parameters::Activation;
use crate::generic::simd::{Element, Simd};

pub(crate) static TABLE: Table = Table {
    f32: run::<f32>,
    bf16: run::<bf16>,
    f16: run::<f16>,
    swiglu_f32: run_swiglu::<f32>,
    swiglu_bf16: run_swiglu::<bf16>,
    swiglu_f16: run_swiglu::<f16>,
};

/// # Safety
/// As [`Table`] says of `src`, `dst` and `n`.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn run<T: Element>(f: &Activation, src: *const T, dst: *mut T, n: usize) {
    // SAFETY: the caller's promise is the same; this function's features are those of `Avx2`.
    unsafe { activate(Avx2::new(), f, src, dst, n) };
}

/// # Safety
/// As [`Table`] says of the pointers and `n`.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn run_swiglu<T: Element>(gate: *const T, up: *const T, dst: *mut T, n: usize) {
    // SAFETY: the caller's promise is the same; this function's features are those of `Avx2`.
    unsafe { swiglu(Avx2::new(), gate, up, dst, n) };
}

/// Proof that the machine runs AVX2, FMA and F16C. Its methods are inlined into functions that
/// enable these features.
#[derive(Clone, Copy)]
pub(in crate::arch::x86) struct Avx2(());

impl Avx2 {
    /// # Safety
    /// The machine runs AVX2, FMA and F16C.
    #[inline(always)]
    pub(in crate::arch::x86) unsafe fn new() -> Self {
        Avx2(())
    }
}

/// Calls an intrinsic of the features that [`Avx2`] stands for.
macro_rules! avx2 {
    ($call:expr) => {
        // SAFETY: an `Avx2` exists only where the machine runs the intrinsic's features.
        unsafe { $call }
    };
}

impl Avx2 {
    /// Adds just under half of the last kept bit, and that bit: ties go to even. The carry of
    /// the canonical NaN stays below what is kept.
    #[inline(always)]
    fn to_bf16(self, v: __m256) -> __m128i {
        avx2!({
            let bits = _mm256_castps_si256(v);
            let odd = _mm256_and_si256(_mm256_srli_epi32::<16>(bits), _mm256_set1_epi32(1));
            let bits = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
            let upper = _mm256_srli_epi32::<16>(bits);
            // The pack works within 128-bit halves; quarters 0 and 2 hold the result.
            let packed =
                _mm256_permute4x64_epi64::<0b00_00_10_00>(_mm256_packus_epi32(upper, upper));
            _mm256_castsi256_si128(packed)
        })
    }

    #[inline(always)]
    fn to_f16(self, v: __m256) -> __m128i {
        avx2!(_mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(v))
    }
}

impl Simd for Avx2 {
    type F32 = __m256;
    type Mask = __m256;
    const COUNT: usize = 8;
    const STREAMS: bool = true;

    #[inline(always)]
    fn splat(self, x: f32) -> __m256 {
        avx2!(_mm256_set1_ps(x))
    }
    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        avx2!(_mm256_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        avx2!(_mm256_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        avx2!(_mm256_mul_ps(a, b))
    }
    #[inline(always)]
    fn div(self, a: __m256, b: __m256) -> __m256 {
        avx2!(_mm256_div_ps(a, b))
    }
    #[inline(always)]
    fn neg(self, a: __m256) -> __m256 {
        avx2!(_mm256_xor_ps(a, _mm256_set1_ps(-0.0)))
    }
    #[inline(always)]
    fn neg_abs(self, a: __m256) -> __m256 {
        avx2!(_mm256_or_ps(a, _mm256_set1_ps(-0.0)))
    }
    #[inline(always)]
    fn fma(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        avx2!(_mm256_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn min(self, a: __m256, b: __m256) -> __m256 {
        avx2!(_mm256_min_ps(a, b))
    }
    #[inline(always)]
    fn max(self, a: __m256, b: __m256) -> __m256 {
        avx2!(_mm256_max_ps(a, b))
    }
    #[inline(always)]
    fn lt(self, a: __m256, b: __m256) -> __m256 {
        avx2!(_mm256_cmp_ps::<_CMP_LT_OQ>(a, b))
    }
    #[inline(always)]
    fn is_nan(self, a: __m256) -> __m256 {
        avx2!(_mm256_cmp_ps::<_CMP_UNORD_Q>(a, a))
    }
    #[inline(always)]
    fn select(self, mask: __m256, a: __m256, b: __m256) -> __m256 {
        avx2!(_mm256_blendv_ps(b, a, mask))
    }
    #[inline(always)]
    fn all(self, mask: __m256) -> bool {
        avx2!(_mm256_movemask_ps(mask) == 0xff)
    }
    #[inline(always)]
    fn exp2_of_magic(self, t: __m256) -> __m256 {
        avx2!(_mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_castps_si256(t))))
    }

    #[inline(always)]
    unsafe fn load_f32(self, p: *const f32) -> __m256 {
        // SAFETY: the caller vouches for 8 elements.
        unsafe { _mm256_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn load_bf16(self, p: *const bf16) -> __m256 {
        // SAFETY: the caller vouches for 8 elements.
        unsafe {
            let upper = _mm256_cvtepu16_epi32(_mm_loadu_si128(p.cast()));
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(upper))
        }
    }
    #[inline(always)]
    unsafe fn load_f16(self, p: *const f16) -> __m256 {
        // SAFETY: the caller vouches for 8 elements.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(p.cast())) }
    }
    #[inline(always)]
    unsafe fn store_f32(self, v: __m256, p: *mut f32) {
        // SAFETY: the caller vouches for 8 elements.
        unsafe { _mm256_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn store_bf16(self, v: __m256, p: *mut bf16) {
        // SAFETY: the caller's promise.
        unsafe { _mm_storeu_si128(p.cast(), self.to_bf16(v)) }
    }
    #[inline(always)]
    unsafe fn store_f16(self, v: __m256, p: *mut f16) {
        // SAFETY: the caller's promise.
        unsafe { _mm_storeu_si128(p.cast(), self.to_f16(v)) }
    }
    #[inline(always)]
    unsafe fn stream_f32(self, v: __m256, p: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { _mm256_stream_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn stream_bf16(self, v: __m256, p: *mut bf16) {
        // SAFETY: the caller's promise.
        unsafe { _mm_stream_si128(p.cast(), self.to_bf16(v)) }
    }
    #[inline(always)]
    unsafe fn stream_f16(self, v: __m256, p: *mut f16) {
        // SAFETY: the caller's promise.
        unsafe { _mm_stream_si128(p.cast(), self.to_f16(v)) }
    }
    #[inline(always)]
    fn fence(self) {
        avx2!(_mm_sfence())
    }
}
