//! [`Kernels`]: the tables of kernels of one instruction set.

#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
use crate::arch::aarch64::{dotprod, i8mm, neon};
use crate::arch::isa::Isa;
use crate::arch::scalar;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use crate::arch::wasm::simd128;
#[cfg(target_arch = "x86_64")]
use crate::arch::x86::{amx, avx_vnni, avx2, avx512, avx512_vnni};
use crate::generic::{activation_forward, attention, matmul};

/// Two slices that must match in length do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LengthError {
    /// What was expected.
    pub expected: usize,
    /// What was given.
    pub found: usize,
}

crate::messages!(LengthError {
    LengthError { expected, found } => (
        "expected a slice of {} elements, found {}", expected, found,
    ),
});

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
    activation: &'static activation_forward::Table,
    #[cfg(not(xielu_small))]
    matmul: &'static matmul::Table,
    /// The scalar kernels have none.
    #[cfg(not(xielu_small))]
    attention: Option<&'static attention::Table>,
}

impl core::fmt::Debug for Kernels {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Kernels").field("isa", &self.isa).finish_non_exhaustive()
    }
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
            matmul: &scalar::matmul::TABLE,
            #[cfg(not(xielu_small))]
            attention: None,
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
        let (activation, matmul, attention) = match isa {
            Isa::Scalar => return Some(Kernels::scalar()),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => (&avx2::activation::TABLE, &avx2::matmul::TABLE, &avx2::attention::TABLE),
            #[cfg(target_arch = "x86_64")]
            Isa::AvxVnni => {
                (&avx2::activation::TABLE, &avx_vnni::matmul::TABLE, &avx2::attention::TABLE)
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => {
                (&avx512::activation::TABLE, &avx512::matmul::TABLE, &avx512::attention::TABLE)
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Vnni => {
                (&avx512::activation::TABLE, &avx512_vnni::matmul::TABLE, &avx512::attention::TABLE)
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Amx => {
                (&avx512::activation::TABLE, &amx::matmul::TABLE, &avx512::attention::TABLE)
            }
            #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
            Isa::Neon => (&neon::activation::TABLE, &neon::matmul::TABLE, &neon::attention::TABLE),
            #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
            Isa::Dotprod => {
                (&neon::activation::TABLE, &dotprod::matmul::TABLE, &neon::attention::TABLE)
            }
            #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
            Isa::I8mm => (&neon::activation::TABLE, &i8mm::matmul::TABLE, &neon::attention::TABLE),
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Isa::Simd128 => {
                (&simd128::activation::TABLE, &simd128::matmul::TABLE, &simd128::attention::TABLE)
            }
            // Those of other targets. No `_`: a new one is an error here until it has its tables.
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx2 | Isa::AvxVnni | Isa::Avx512 | Isa::Avx512Vnni | Isa::Amx => return None,
            #[cfg(not(all(target_arch = "aarch64", target_feature = "neon")))]
            Isa::Neon | Isa::Dotprod | Isa::I8mm => return None,
            #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
            Isa::Simd128 => return None,
        };
        #[allow(unreachable_code)] // where nothing but the scalar kernels exists
        Some(Kernels { isa, activation, matmul, attention: Some(attention) })
    }

    #[cfg(not(xielu_small))]
    pub(crate) fn activation_table(&self) -> &'static activation_forward::Table {
        self.activation
    }

    #[cfg(xielu_small)]
    #[inline(always)]
    pub(crate) fn activation_table(&self) -> &'static activation_forward::Table {
        &scalar::activation::TABLE
    }

    #[cfg(not(xielu_small))]
    pub(crate) fn matmul_table(&self) -> &'static matmul::Table {
        self.matmul
    }

    #[cfg(xielu_small)]
    #[inline(always)]
    pub(crate) fn matmul_table(&self) -> &'static matmul::Table {
        &scalar::matmul::TABLE
    }

    /// Kernels for the attention of many queries, where there are vectors.
    #[cfg(not(xielu_small))]
    pub(crate) const fn attention_table(&self) -> Option<&'static attention::Table> {
        self.attention
    }

    #[cfg(xielu_small)]
    #[inline(always)]
    pub(crate) const fn attention_table(&self) -> Option<&'static attention::Table> {
        None
    }

    /// The instruction set in use.
    pub const fn isa(&self) -> Isa {
        self.isa
    }
}
