//! The proof that the machine runs AVX-512 VNNI beside AVX-512.

use core::arch::x86_64::*;

use crate::arch::x86::avx2::dot::ByteDot;
use crate::arch::x86::avx2::token::Avx2;
use crate::arch::x86::avx512::token::Avx512;

/// Compiles functions with the features that [`Avx512Vnni`] proves: the one place that names
/// them.
macro_rules! compile {
    ($($item:item)*) => {
        $(#[target_feature(
            enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c"
        )]
        $item)*
    };
}
pub(super) use compile;

/// Calls intrinsics of AVX-512 F, BW, DQ, VL and VNNI. The first argument is the [`Avx512Vnni`] that
/// allows it.
macro_rules! vnni {
    ($token:expr, $call:expr) => {{
        let _: $crate::arch::x86::avx512_vnni::token::Avx512Vnni = $token;
        // SAFETY: there is an `Avx512Vnni`, so the machine runs these features.
        unsafe { $call }
    }};
}
pub(super) use vnni;

/// Proof that the machine runs AVX-512 VNNI and what [`Avx512`] proves. Its methods are inlined into
/// functions that enable these features.
#[derive(Clone, Copy)]
pub(in crate::arch::x86) struct Avx512Vnni {
    avx512: Avx512,
}

impl Avx512Vnni {
    compile! {
        /// The compiler lets only functions call this that are compiled with these features, and
        /// those are called only where [`detect`](crate::arch::x86::detect) has found them.
        #[inline]
        pub(in crate::arch::x86) fn new() -> Self {
            Avx512Vnni { avx512: Avx512::new() }
        }
    }

    /// The proof of AVX-512 F, BW, DQ and VL.
    #[inline(always)]
    pub(in crate::arch::x86) fn avx512(self) -> Avx512 {
        self.avx512
    }

    /// The proof of AVX2, FMA and F16C.
    #[inline(always)]
    pub(in crate::arch::x86) fn avx2(self) -> Avx2 {
        self.avx512.avx2()
    }

    /// Adds to each 32-bit lane four products of an unsigned byte and a signed one.
    #[inline(always)]
    pub(super) fn dot(self, acc: __m512i, unsigned: __m512i, signed: __m512i) -> __m512i {
        vnni!(self, _mm512_dpbusd_epi32(acc, unsigned, signed))
    }

    /// [`Avx512Vnni::dot`] of vectors of half the width.
    #[inline(always)]
    pub(super) fn dot_256(self, acc: __m256i, unsigned: __m256i, signed: __m256i) -> __m256i {
        vnni!(self, _mm256_dpbusd_epi32(acc, unsigned, signed))
    }
}

/// For the formats that are unpacked, whose dot products are in vectors of 256 bits.
impl ByteDot for Avx512Vnni {
    #[inline(always)]
    fn avx2(self) -> Avx2 {
        self.avx512.avx2()
    }

    #[inline(always)]
    fn dot(self, acc: __m256i, unsigned: __m256i, signed: __m256i) -> __m256i {
        self.dot_256(acc, unsigned, signed)
    }
}
