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
    /// x86-64 with AVX2's and AVX-512 F, BW, DQ and VL.
    Avx512,
}

#[cfg(all(target_arch = "x86_64", not(xielu_force_scalar)))]
cpufeatures::new!(avx2_fma, "avx2", "fma");
#[cfg(all(target_arch = "x86_64", not(xielu_force_scalar)))]
cpufeatures::new!(avx512, "avx512f", "avx512bw", "avx512dq", "avx512vl");

/// Whether the CPU converts halves (F16C), which `cpufeatures` does not know. The operating
/// system's part (saving the wide registers) is covered by the AVX2 check.
#[cfg(all(target_arch = "x86_64", not(xielu_force_scalar)))]
fn has_f16c() -> bool {
    #[allow(unused_unsafe)] // safe since Rust 1.94, unsafe before
    // SAFETY: every x86-64 CPU has the CPUID instruction and its leaf 1.
    let leaf = unsafe { core::arch::x86_64::__cpuid(1) };
    leaf.ecx & (1 << 29) != 0
}

impl Isa {
    /// Every instruction set this crate has kernels for, on any target; slowest first.
    pub const ALL: [Isa; 3] = [Isa::Scalar, Isa::Avx2, Isa::Avx512];

    /// Whether this machine runs it. Works without `std`: x86 asks the CPU itself. The answer
    /// is cached after the first call.
    ///
    /// Compile with `--cfg xielu_force_scalar` to answer as a machine without SIMD would.
    pub fn is_available(self) -> bool {
        match self {
            Isa::Scalar => true,
            #[cfg(all(target_arch = "x86_64", not(xielu_force_scalar)))]
            Isa::Avx2 => avx2_fma::get() && has_f16c(),
            #[cfg(all(target_arch = "x86_64", not(xielu_force_scalar)))]
            Isa::Avx512 => Isa::Avx2.is_available() && avx512::get(),
            #[cfg(not(all(target_arch = "x86_64", not(xielu_force_scalar))))]
            Isa::Avx2 | Isa::Avx512 => false,
        }
    }

    /// The fastest available one.
    pub fn detect() -> Isa {
        let mut best = Isa::Scalar;
        for isa in Isa::ALL {
            if isa.is_available() {
                best = isa;
            }
        }
        best
    }

    /// The name that [`FromStr`] reads.
    pub const fn name(self) -> &'static str {
        match self {
            Isa::Scalar => "scalar",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The text is not the name of an [`Isa`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
