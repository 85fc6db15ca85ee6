//! AVX-512 matrix products: floats and many tokens; the rest are AVX2's.

use super::activation::Avx512;
use crate::arch::x86::avx2;
use crate::arch::x86::avx2::activation::Avx2;
use crate::arch::x86::avx2::dot::{FloatRows, LoadF32, transpose};
use crate::block::{BF16, F16, F32};
use crate::generic::dispatch::float_product;
use crate::generic::gemm_float::{FloatPanelIsa, SQUARE};
use crate::generic::matmul::{Gemm, Table};

pub(crate) const TABLE: Table =
    Table { f32: float::<F32>, f16: float::<F16>, bf16: float::<BF16>, ..avx2::matmul::TABLE };

impl<W: LoadF32> FloatPanelIsa<W> for Avx512 {
    type Simd = Avx512;
    #[inline(always)]
    fn simd(self) -> Avx512 {
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

/// # Safety
/// The machine runs AVX-512 F, BW, DQ and VL, and AVX2, FMA and F16C.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn float<W: LoadF32>(g: Gemm<'_, W, f32>) {
    // SAFETY: the caller's promise.
    let (isa, rows) = unsafe { (Avx512::new(), FloatRows(Avx2::new())) };
    float_product::<_, _, _, 2, 12, 6>(isa, rows, g);
}
