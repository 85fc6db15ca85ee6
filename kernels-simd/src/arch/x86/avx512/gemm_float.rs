//! Panels of float weights: sixteen rows in a vector, transposed as with AVX2.

use super::token::Avx512;
use crate::arch::x86::avx2::gemv_float::LoadF32;
use crate::generic::gemm_float::{FloatPanelIsa, SQUARE};

impl<W: LoadF32> FloatPanelIsa<W> for Avx512 {
    #[inline(always)]
    fn transpose(self, w: [&[W; SQUARE]; SQUARE], columns: [&mut [f32; SQUARE]; SQUARE]) {
        self.avx2().transpose(w, columns);
    }
    #[inline(always)]
    fn get(w: W) -> f32 {
        w.get()
    }
}
