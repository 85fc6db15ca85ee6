//! Detection of the instruction sets: once in a process, kept as a set of [`Isa::bit`]s.

use crate::arch::isa::Isa;

#[cfg(any(target_arch = "x86_64", all(target_arch = "aarch64", target_feature = "neon")))]
mod kept {
    use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use super::Isa;
    #[cfg(target_arch = "aarch64")]
    use crate::arch::aarch64::detect;
    #[cfg(target_arch = "x86_64")]
    use crate::arch::x86::detect;

    /// Bits of the set within [`DETECTED`]; above them is how often detection has run.
    const SET: u32 = (1 << COUNT_SHIFT) - 1;
    const COUNT_SHIFT: u32 = 16;

    /// 0 before the first detection: a set always has the scalar kernels in it. Threads that detect
    /// at the same time all store the same set, so nothing need be ordered.
    static DETECTED: AtomicU32 = AtomicU32::new(0);

    pub(crate) fn available() -> u32 {
        let known = DETECTED.load(Relaxed) & SET;
        if known != 0 { known } else { detect() }
    }

    pub(crate) fn detections() -> u32 {
        DETECTED.load(Relaxed) >> COUNT_SHIFT
    }

    #[cold]
    fn detect() -> u32 {
        let found = [
            (Isa::Scalar, true),
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx2, detect::avx2()),
            #[cfg(target_arch = "x86_64")]
            (Isa::AvxVnni, detect::avx_vnni()),
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx512, detect::avx512()),
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx512Vnni, detect::avx512_vnni()),
            #[cfg(target_arch = "x86_64")]
            (Isa::Amx, detect::amx()),
            #[cfg(target_arch = "aarch64")]
            (Isa::Neon, detect::neon()),
            #[cfg(target_arch = "aarch64")]
            (Isa::Dotprod, detect::dotprod()),
            #[cfg(target_arch = "aarch64")]
            (Isa::I8mm, detect::i8mm()),
        ];
        let have = found.iter().filter(|(_, yes)| *yes);
        let set = have.fold(0, |set, (isa, _)| set | isa.bit());
        let count = detections().wrapping_add(1);
        DETECTED.store(set | count << COUNT_SHIFT, Relaxed);
        set
    }
}

/// Where the target alone decides, there is nothing to detect.
#[cfg(not(any(target_arch = "x86_64", all(target_arch = "aarch64", target_feature = "neon"))))]
mod kept {
    use super::Isa;

    pub(crate) const fn available() -> u32 {
        let simd128 =
            cfg!(all(target_arch = "wasm32", target_feature = "simd128", not(xielu_force_scalar)));
        Isa::Scalar.bit() | if simd128 { Isa::Simd128.bit() } else { 0 }
    }

    pub(crate) const fn detections() -> u32 {
        0
    }
}

impl Isa {
    /// Whether this machine runs it. The first call of a process detects every instruction set and
    /// keeps the result: detection takes microseconds on virtual machines. It works without `std`
    /// on x86, by CPUID; on aarch64 without `std` the result is what the target was compiled for.
    ///
    /// Compile with `--cfg xielu_force_scalar` to answer as a machine without SIMD would.
    pub fn is_available(self) -> bool {
        kept::available() & self.bit() != 0
    }

    /// The one to prefer among those available: the last of [`Isa::ALL`], an order that was
    /// measured. AVX-512 VNNI comes before AMX, which multiplies many tokens twice as fast and with
    /// fewer bits: results change, so [`Isa::Amx`] must be chosen by name.
    pub fn detect() -> Isa {
        preferred(kept::available())
    }

    /// How often this process has detected them: once at most, unless several threads make the
    /// first call at the same time. 0 where there is nothing to detect.
    pub fn detections() -> u32 {
        kept::detections()
    }
}

/// The last of [`Isa::ALL`] that is in the set.
fn preferred(available: u32) -> Isa {
    let mut best = Isa::Scalar;
    for isa in Isa::ALL {
        if available & isa.bit() != 0 {
            best = isa;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::Isa::{self, *};
    use super::preferred;

    /// What each machine has, and what is chosen there.
    #[test]
    fn the_order_of_preference_is_the_measured_one() {
        let machines: [(&[Isa], Isa); 9] = [
            (&[Scalar], Scalar),
            (&[Scalar, Avx2], Avx2),
            (&[Scalar, Avx2, AvxVnni], AvxVnni),
            (&[Scalar, Avx2, Avx512], Avx512),
            (&[Scalar, Avx2, Avx512, Avx512Vnni], Avx512Vnni),
            (&[Scalar, Avx2, AvxVnni, Avx512, Avx512Vnni, Amx], Avx512Vnni),
            (&[Scalar, Neon, Dotprod], Dotprod),
            (&[Scalar, Neon, Dotprod, I8mm], I8mm),
            (&[Scalar, Simd128], Simd128),
        ];
        for (has, chosen) in machines {
            let set = has.iter().fold(0, |set, isa| set | isa.bit());
            assert_eq!(preferred(set), chosen, "{has:?}");
        }
    }
}
