//! [`Kernels`]: the safe door to the function tables of one instruction set.

use half::{bf16, f16};

#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
use crate::aarch64::{dotprod, i8mm, neon};
use crate::activation::{self, Activation};
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use crate::wasm::simd128;
#[cfg(target_arch = "x86_64")]
use crate::x86::{amx, avx_vnni, avx2, avx512, avx512_vnni};
use crate::{Isa, gemm, scalar};

/// Two slices that must match in length do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LengthError {
    /// What was expected.
    pub expected: usize,
    /// What was given.
    pub found: usize,
}

impl core::fmt::Display for LengthError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "expected a slice of {} elements, found {}", self.expected, self.found)
    }
}

impl core::error::Error for LengthError {}

/// Returns `Err` unless `found == expected`.
pub(crate) const fn same_length(expected: usize, found: usize) -> Result<(), LengthError> {
    if expected == found { Ok(()) } else { Err(LengthError { expected, found }) }
}

/// The kernels of one instruction set. Copy it freely; it is a few pointers.
#[derive(Clone, Copy)]
pub struct Kernels {
    isa: Isa,
    #[cfg(not(xielu_small))]
    activation: &'static activation::Table,
    #[cfg(not(xielu_small))]
    gemm: &'static gemm::Table,
}

impl core::fmt::Debug for Kernels {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Kernels").field("isa", &self.isa).finish_non_exhaustive()
    }
}

/// Defines, for one storage type, the safe forms of its activation kernels.
macro_rules! activation_methods {
    ($t:ty, $table:ident, $swiglu_table:ident, $apply:ident, $in_place:ident,
     $swiglu:ident, $swiglu_in_place:ident) => {
        /// `dst[i] = f(src[i])`.
        ///
        /// # Errors
        /// If the lengths differ; nothing is written.
        pub fn $apply(
            &self,
            f: &Activation,
            src: &[$t],
            dst: &mut [$t],
        ) -> Result<(), LengthError> {
            same_length(src.len(), dst.len())?;
            // SAFETY: both slices hold `src.len()` elements and cannot overlap; this machine
            // runs `self.isa` (checked when `self` was made).
            unsafe { (self.activation().$table)(f, src.as_ptr(), dst.as_mut_ptr(), src.len()) };
            Ok(())
        }

        /// `x[i] = f(x[i])`.
        pub fn $in_place(&self, f: &Activation, x: &mut [$t]) {
            let p = x.as_mut_ptr();
            // SAFETY: source and destination are the same `x.len()` elements; this machine runs
            // `self.isa` (checked when `self` was made).
            unsafe { (self.activation().$table)(f, p, p, x.len()) };
        }

        /// `dst[i] = silu(gate[i]) * up[i]`.
        ///
        /// # Errors
        /// If the lengths differ; nothing is written.
        pub fn $swiglu(&self, gate: &[$t], up: &[$t], dst: &mut [$t]) -> Result<(), LengthError> {
            same_length(gate.len(), up.len())?;
            same_length(gate.len(), dst.len())?;
            // SAFETY: the three slices hold `gate.len()` elements and `dst` overlaps neither
            // source; this machine runs `self.isa` (checked when `self` was made).
            unsafe {
                (self.activation().$swiglu_table)(
                    gate.as_ptr(),
                    up.as_ptr(),
                    dst.as_mut_ptr(),
                    gate.len(),
                )
            };
            Ok(())
        }

        /// `up[i] = silu(gate[i]) * up[i]`.
        ///
        /// # Errors
        /// If the lengths differ; nothing is written.
        pub fn $swiglu_in_place(&self, gate: &[$t], up: &mut [$t]) -> Result<(), LengthError> {
            same_length(gate.len(), up.len())?;
            let p = up.as_mut_ptr();
            // SAFETY: both slices hold `gate.len()` elements, `dst` equals `up` and does not
            // overlap `gate`; this machine runs `self.isa` (checked when `self` was made).
            unsafe { (self.activation().$swiglu_table)(gate.as_ptr(), p, p, gate.len()) };
            Ok(())
        }
    };
}

impl Kernels {
    /// The kernels of the fastest instruction set this machine runs.
    pub fn detect() -> Kernels {
        Kernels::for_isa(Isa::detect()).unwrap_or(Kernels::scalar())
    }

    /// The plain Rust kernels.
    pub const fn scalar() -> Kernels {
        Kernels {
            isa: Isa::Scalar,
            #[cfg(not(xielu_small))]
            activation: &scalar::activation::TABLE,
            #[cfg(not(xielu_small))]
            gemm: &scalar::gemm::TABLE,
        }
    }

    /// The kernels of `isa`; `None` if this machine does not run it.
    pub fn for_isa(isa: Isa) -> Option<Kernels> {
        if !isa.is_available() {
            return None;
        }
        #[cfg(xielu_small)]
        return Some(Kernels::scalar());
        #[cfg(not(xielu_small))]
        Kernels::with_tables(isa)
    }

    #[cfg(not(xielu_small))]
    fn with_tables(isa: Isa) -> Option<Kernels> {
        let (activation, gemm) = match isa {
            Isa::Scalar => return Some(Kernels::scalar()),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => (&avx2::activation::TABLE, &avx2::gemm::TABLE),
            #[cfg(target_arch = "x86_64")]
            Isa::AvxVnni => (&avx2::activation::TABLE, &avx_vnni::gemm::TABLE),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => (&avx512::activation::TABLE, &avx512::gemm::TABLE),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Vnni => (&avx512::activation::TABLE, &avx512_vnni::gemm::TABLE),
            #[cfg(target_arch = "x86_64")]
            Isa::Amx => (&avx512::activation::TABLE, &amx::gemm::TABLE),
            #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
            Isa::Neon => (&neon::activation::TABLE, &neon::gemm::TABLE),
            #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
            Isa::Dotprod => (&neon::activation::TABLE, &dotprod::gemm::TABLE),
            #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
            Isa::I8mm => (&neon::activation::TABLE, &i8mm::gemm::TABLE),
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Isa::Simd128 => (&simd128::activation::TABLE, &simd128::gemm::TABLE),
            #[allow(unreachable_patterns)]
            _ => return None,
        };
        #[allow(unreachable_code)] // where nothing but the scalar kernels exists
        Some(Kernels { isa, activation, gemm })
    }

    #[cfg(not(xielu_small))]
    fn activation(&self) -> &'static activation::Table {
        self.activation
    }

    #[cfg(xielu_small)]
    #[inline(always)]
    fn activation(&self) -> &'static activation::Table {
        &scalar::activation::TABLE
    }

    #[cfg(not(xielu_small))]
    pub(crate) fn gemm(&self) -> &'static gemm::Table {
        self.gemm
    }

    #[cfg(xielu_small)]
    #[inline(always)]
    pub(crate) fn gemm(&self) -> &'static gemm::Table {
        &scalar::gemm::TABLE
    }

    /// The instruction set in use.
    pub const fn isa(&self) -> Isa {
        self.isa
    }

    activation_methods!(
        f32,
        f32,
        swiglu_f32,
        activate_f32,
        activate_f32_in_place,
        swiglu_f32,
        swiglu_f32_in_place
    );
    activation_methods!(
        bf16,
        bf16,
        swiglu_bf16,
        activate_bf16,
        activate_bf16_in_place,
        swiglu_bf16,
        swiglu_bf16_in_place
    );
    activation_methods!(
        f16,
        f16,
        swiglu_f16,
        activate_f16,
        activate_f16_in_place,
        swiglu_f16,
        swiglu_f16_in_place
    );
}
