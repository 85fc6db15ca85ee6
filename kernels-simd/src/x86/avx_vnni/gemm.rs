//! Matrix products with AVX-VNNI.

use core::arch::x86_64::*;

use crate::block::{BlockQ4_0, BlockQ8_0};
use crate::gemm::{Chunked, Gemm, Table, drive_rows};
use crate::input::InputBlock;
use crate::x86::avx2::dot::ByteDot;
use crate::x86::avx2::{self, unpack};

/// Proof that the machine runs AVX2, FMA, F16C and AVX-VNNI. Its methods are inlined into
/// functions that enable these features.
#[derive(Clone, Copy)]
struct AvxVnni(());

impl AvxVnni {
    /// # Safety
    /// The machine runs AVX2, FMA, F16C and AVX-VNNI.
    #[inline(always)]
    unsafe fn new() -> Self {
        AvxVnni(())
    }
}

impl ByteDot for AvxVnni {
    #[inline(always)]
    fn dot(self, acc: __m256i, unsigned: __m256i, signed: __m256i) -> __m256i {
        // SAFETY: an `AvxVnni` exists only where the machine runs the intrinsic's features.
        unsafe { _mm256_dpbusd_avx_epi32(acc, unsigned, signed) }
    }
}

/// Defines a product kernel of these features.
macro_rules! product {
    ($name:ident, $rows:path, $block:ty) => {
        /// # Safety
        /// The machine runs AVX2, FMA, F16C and AVX-VNNI.
        #[target_feature(enable = "avx2,fma,f16c,avxvnni")]
        unsafe fn $name(g: Gemm<'_, $block, InputBlock>) {
            // SAFETY: the caller's promise.
            drive_rows(g, Chunked($rows(unsafe { AvxVnni::new() })));
        }
    };
}

product!(q8_0, unpack::Q8_0, BlockQ8_0);
product!(q4_0, unpack::Q4_0, BlockQ4_0);

pub(crate) const TABLE: Table = Table { q8_0, q4_0, ..avx2::gemm::TABLE };
