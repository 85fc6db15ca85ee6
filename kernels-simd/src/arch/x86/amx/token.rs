//! The proof that this process may use AMX.

use crate::arch::x86::avx512_vnni::token::Avx512Vnni;

/// Compiles functions with the vector features that [`Amx`] proves: the one place that names them.
/// Stable Rust has no feature for the tiles.
macro_rules! compile {
    ($($item:item)*) => {
        $(#[target_feature(
            enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,avx2,fma,f16c"
        )]
        $item)*
    };
}
pub(super) use compile;

/// Calls intrinsics of AVX-512 F, BW, DQ, VL, VNNI and BF16. The first argument is the [`Amx`] that
/// allows it.
macro_rules! amx {
    ($token:expr, $call:expr) => {{
        let _: $crate::arch::x86::amx::token::Amx = $token;
        // SAFETY: there is an `Amx`, so the machine runs these features.
        unsafe { $call }
    }};
}
pub(super) use amx;

/// Proof that the machine runs AMX (tile, int8 and bf16), AVX-512 BF16 and what [`Avx512Vnni`]
/// proves, and that this process may use the tiles. Its methods are inlined into functions that
/// enable the vector features.
#[derive(Clone, Copy)]
pub(super) struct Amx {
    vectors: Avx512Vnni,
}

impl Amx {
    compile! {
        /// # Safety
        /// [`detect::amx`](crate::arch::x86::detect::amx) has found the tiles and the permission to
        /// use them. (The compiler checks the vector features.)
        #[inline]
        pub(super) unsafe fn new() -> Self {
            Amx { vectors: Avx512Vnni::new() }
        }
    }

    /// What is not a product of tiles.
    #[inline(always)]
    pub(super) fn vectors(self) -> Avx512Vnni {
        self.vectors
    }
}
