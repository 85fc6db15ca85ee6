//! Which instruction set the kernels use: found once, or chosen.

use core::fmt;
use core::str::FromStr;

/// An instruction set with kernels of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Isa {
    /// Plain Rust: every target.
    Scalar,
    /// x86-64 with AVX2, FMA and F16C.
    Avx2,
    /// x86-64 with AVX2's and AVX-VNNI.
    AvxVnni,
    /// x86-64 with AVX2's and AVX-512 F, BW, DQ and VL.
    Avx512,
    /// x86-64 with AVX-512's and AVX-512 VNNI.
    Avx512Vnni,
    /// x86-64 with AVX-512 VNNI's, AVX-512 BF16 and AMX (tile, int8, bf16). Linux only: there a
    /// process requests permission before it uses the tiles, and [`Isa::is_available`] does so.
    Amx,
    /// aarch64: NEON, which every such CPU has.
    Neon,
    /// aarch64 with NEON and the dot products of ARMv8.2 (FEAT_DotProd).
    Dotprod,
    /// aarch64 with the above and the 8-bit matrix products of ARMv8.6 (FEAT_I8MM).
    I8mm,
    /// wasm32 built with `+simd128`.
    Simd128,
}

impl Isa {
    crate::every_variant! {
        /// Every instruction set this crate has kernels for, on any target, in the order of
        /// preference: [`Isa::detect`] chooses the last one that is available.
        pub const ALL: Isa = [
            Scalar,
            Avx2,
            AvxVnni,
            Avx512,
            Amx,
            Avx512Vnni,
            Neon,
            Dotprod,
            I8mm,
            Simd128,
        ];
    }

    /// Its place in a set.
    pub(crate) const fn bit(self) -> u32 {
        1 << self as u32
    }

    /// Whether products of many tokens, and of packed weights, use panels.
    pub(crate) const fn has_panels(self) -> bool {
        !matches!(self, Isa::Scalar)
    }

    /// The name that [`FromStr`] reads.
    pub const fn name(self) -> &'static str {
        match self {
            Isa::Scalar => "scalar",
            Isa::Avx2 => "avx2",
            Isa::AvxVnni => "avx-vnni",
            Isa::Avx512 => "avx512",
            Isa::Avx512Vnni => "avx512-vnni",
            Isa::Amx => "amx",
            Isa::Neon => "neon",
            Isa::Dotprod => "dotprod",
            Isa::I8mm => "i8mm",
            Isa::Simd128 => "simd128",
        }
    }
}

crate::names!(Isa, isa => isa.name());

/// The text is not the name of an [`Isa`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct UnknownIsa;

impl fmt::Display for UnknownIsa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown instruction set; known are:")?;
        Isa::ALL.iter().try_for_each(|isa| write!(f, " {isa}"))
    }
}

impl core::error::Error for UnknownIsa {}

impl FromStr for Isa {
    type Err = UnknownIsa;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Isa::ALL.into_iter().find(|isa| s.eq_ignore_ascii_case(isa.name())).ok_or(UnknownIsa)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_the_choice_is_available() {
        for isa in Isa::ALL {
            assert_eq!(isa.name().parse(), Ok(isa));
        }
        assert_eq!("sse9".parse::<Isa>(), Err(UnknownIsa));
        assert!(Isa::detect().is_available());
    }
}
