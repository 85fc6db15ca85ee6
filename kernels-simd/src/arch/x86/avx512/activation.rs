//! AVX-512 activations: sixteen lanes.

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
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn run<T: Element>(f: &Activation, src: *const T, dst: *mut T, n: usize) {
    // SAFETY: the caller's promise is the same; this function's features are those of `Avx512`.
    unsafe { activate(Avx512::new(), f, src, dst, n) };
}

/// # Safety
/// As [`Table`] says of the pointers and `n`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn run_swiglu<T: Element>(gate: *const T, up: *const T, dst: *mut T, n: usize) {
    // SAFETY: the caller's promise is the same; this function's features are those of `Avx512`.
    unsafe { swiglu(Avx512::new(), gate, up, dst, n) };
}

/// Proof that the machine runs AVX-512 F, BW, DQ and VL. Its methods are inlined into functions that
/// enable these features.
#[derive(Clone, Copy)]
pub(in crate::arch::x86) struct Avx512(());

impl Avx512 {
    /// # Safety
    /// The machine runs AVX-512 F, BW, DQ and VL.
    #[inline(always)]
    pub(in crate::arch::x86) unsafe fn new() -> Self {
        Avx512(())
    }
}

/// Calls an intrinsic of the features that [`Avx512`] stands for.
macro_rules! avx512 {
    ($call:expr) => {
        // SAFETY: an `Avx512` exists only where the machine runs the intrinsic's features.
        unsafe { $call }
    };
}

impl Avx512 {
    /// Adds just under half of the last kept bit, and that bit: ties go to even. The carry of
    /// the canonical NaN stays below what is kept.
    #[inline(always)]
    fn to_bf16(self, v: __m512) -> __m256i {
        avx512!({
            let bits = _mm512_castps_si512(v);
            let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
            let bits = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
            _mm512_cvtepi32_epi16(_mm512_srli_epi32::<16>(bits))
        })
    }

    #[inline(always)]
    fn to_f16(self, v: __m512) -> __m256i {
        avx512!(_mm512_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(v))
    }
}

impl Simd for Avx512 {
    type F32 = __m512;
    type Mask = __mmask16;
    const COUNT: usize = 16;
    const STREAMS: bool = true;
    const MERGES: bool = true;

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        avx512!(_mm512_set1_ps(x))
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        avx512!(_mm512_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        avx512!(_mm512_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        avx512!(_mm512_mul_ps(a, b))
    }
    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        avx512!(_mm512_div_ps(a, b))
    }
    #[inline(always)]
    fn neg(self, a: __m512) -> __m512 {
        avx512!(_mm512_xor_ps(a, _mm512_set1_ps(-0.0)))
    }
    #[inline(always)]
    fn neg_abs(self, a: __m512) -> __m512 {
        avx512!(_mm512_or_ps(a, _mm512_set1_ps(-0.0)))
    }
    #[inline(always)]
    fn fma(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        avx512!(_mm512_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        avx512!(_mm512_min_ps(a, b))
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        avx512!(_mm512_max_ps(a, b))
    }
    #[inline(always)]
    fn lt(self, a: __m512, b: __m512) -> __mmask16 {
        avx512!(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b))
    }
    #[inline(always)]
    fn is_nan(self, a: __m512) -> __mmask16 {
        avx512!(_mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a, a))
    }
    #[inline(always)]
    fn select(self, mask: __mmask16, a: __m512, b: __m512) -> __m512 {
        avx512!(_mm512_mask_blend_ps(mask, b, a))
    }
    #[inline(always)]
    fn all(self, mask: __mmask16) -> bool {
        mask == u16::MAX
    }
    #[inline(always)]
    fn exp2_of_magic(self, t: __m512) -> __m512 {
        avx512!(_mm512_castsi512_ps(_mm512_slli_epi32::<23>(_mm512_castps_si512(t))))
    }

    #[inline(always)]
    fn select_exp2_of_magic(self, mask: __mmask16, t: __m512, other: __m512) -> __m512 {
        avx512!({
            let [t, other] = [_mm512_castps_si512(t), _mm512_castps_si512(other)];
            _mm512_castsi512_ps(_mm512_mask_slli_epi32::<23>(other, mask, t))
        })
    }

    #[inline(always)]
    unsafe fn load_f32(self, p: *const f32) -> __m512 {
        // SAFETY: the caller vouches for 16 elements.
        unsafe { _mm512_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn load_bf16(self, p: *const bf16) -> __m512 {
        // SAFETY: the caller vouches for 16 elements.
        unsafe {
            let upper = _mm512_cvtepu16_epi32(_mm256_loadu_si256(p.cast()));
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(upper))
        }
    }
    #[inline(always)]
    unsafe fn load_f16(self, p: *const f16) -> __m512 {
        // SAFETY: the caller vouches for 16 elements.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(p.cast())) }
    }
    #[inline(always)]
    unsafe fn store_f32(self, v: __m512, p: *mut f32) {
        // SAFETY: the caller vouches for 16 elements.
        unsafe { _mm512_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn store_bf16(self, v: __m512, p: *mut bf16) {
        // SAFETY: the caller's promise.
        unsafe { _mm256_storeu_si256(p.cast(), self.to_bf16(v)) }
    }
    #[inline(always)]
    unsafe fn store_f16(self, v: __m512, p: *mut f16) {
        // SAFETY: the caller's promise.
        unsafe { _mm256_storeu_si256(p.cast(), self.to_f16(v)) }
    }
    #[inline(always)]
    unsafe fn stream_f32(self, v: __m512, p: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { _mm512_stream_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn stream_bf16(self, v: __m512, p: *mut bf16) {
        // SAFETY: the caller's promise.
        unsafe { _mm256_stream_si256(p.cast(), self.to_bf16(v)) }
    }
    #[inline(always)]
    unsafe fn stream_f16(self, v: __m512, p: *mut f16) {
        // SAFETY: the caller's promise.
        unsafe { _mm256_stream_si256(p.cast(), self.to_f16(v)) }
    }
    #[inline(always)]
    fn fence(self) {
        avx512!(_mm_sfence())
    }
}
