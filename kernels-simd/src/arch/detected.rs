//! What the machine runs, asked once in a process and kept as a set of [`Isa::bit`]s.

use crate::arch::isa::Isa;

#[cfg(any(target_arch = "x86_64", all(target_arch = "aarch64", target_feature = "neon")))]
mod kept {
    use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use super::Isa;
    #[cfg(target_arch = "aarch64")]
    use crate::arch::aarch64::detect;
    #[cfg(target_arch = "x86_64")]
    use crate::arch::x86::detect;

    /// Bits of the set within [`ANSWER`]; above them is how often the machine was asked.
    const SET: u32 = (1 << COUNT_SHIFT) - 1;
    const COUNT_SHIFT: u32 = 16;

    /// 0 until the first question: a set always has the scalar kernels in it. Threads that come
    /// first at the same time all ask and store the same set, so nothing need be ordered.
    static ANSWER: AtomicU32 = AtomicU32::new(0);

    pub(crate) fn available() -> u32 {
        let known = ANSWER.load(Relaxed) & SET;
        if known != 0 { known } else { ask() }
    }

    pub(crate) fn questions() -> u32 {
        ANSWER.load(Relaxed) >> COUNT_SHIFT
    }

    #[cold]
    fn ask() -> u32 {
        let answers = [
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
        let have = answers.iter().filter(|(_, yes)| *yes);
        let set = have.fold(0, |set, (isa, _)| set | isa.bit());
        let asked = questions().wrapping_add(1);
        ANSWER.store(set | asked << COUNT_SHIFT, Relaxed);
        set
    }
}

/// What a target's own name says: there is nothing to ask.
#[cfg(not(any(target_arch = "x86_64", all(target_arch = "aarch64", target_feature = "neon"))))]
mod kept {
    use super::Isa;

    pub(crate) const fn available() -> u32 {
        let simd128 =
            cfg!(all(target_arch = "wasm32", target_feature = "simd128", not(xielu_force_scalar)));
        Isa::Scalar.bit() | if simd128 { Isa::Simd128.bit() } else { 0 }
    }

    pub(crate) const fn questions() -> u32 {
        0
    }
}

impl Isa {
    /// Whether this machine runs it. The first question of a process asks the CPU about every
    /// instruction set, and the answer is kept: asking takes microseconds on virtual machines.
    /// Works without `std` on x86, which asks the CPU itself; on aarch64 without `std` the answer
    /// is what the target was compiled for.
    ///
    /// Compile with `--cfg xielu_force_scalar` to answer as a machine without SIMD would.
    pub fn is_available(self) -> bool {
        kept::available() & self.bit() != 0
    }

    /// The one to prefer among those available: the last of [`Isa::ALL`], an order that was
    /// measured. AVX-512 VNNI comes before AMX, which is faster at some shapes, slower at others,
    /// and gives bf16 products fewer bits; [`Isa::Amx`] must be chosen by name.
    pub fn detect() -> Isa {
        preferred(kept::available())
    }

    /// How often this process has asked its CPU: once at most, unless threads that ask at the same
    /// time all come first. 0 where there is nothing to ask.
    pub fn detections() -> u32 {
        kept::questions()
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
