//! What this CPU has. The CPU itself is asked, so it works without `std`.

#[cfg(not(xielu_force_scalar))]
cpufeatures::new!(avx2_fma, "avx2", "fma");
#[cfg(not(xielu_force_scalar))]
cpufeatures::new!(avx512_base, "avx512f", "avx512bw", "avx512dq", "avx512vl");

/// One bit of what CPUID says. `cpufeatures` does not know these features; that the operating
/// system saves the wide registers is covered by the features it does know.
#[cfg(not(xielu_force_scalar))]
fn cpuid_bit(
    leaf: u32,
    subleaf: u32,
    register: fn(core::arch::x86_64::CpuidResult) -> u32,
    bit: u32,
) -> bool {
    #[allow(unused_unsafe)] // safe since Rust 1.94, unsafe before
    // SAFETY: every x86-64 CPU has the CPUID instruction; an unknown leaf is checked for first.
    let (highest, result) = unsafe {
        (core::arch::x86_64::__cpuid(0).eax, core::arch::x86_64::__cpuid_count(leaf, subleaf))
    };
    leaf <= highest && register(result) & (1 << bit) != 0
}

/// AVX2, FMA and F16C.
pub(crate) fn avx2() -> bool {
    #[cfg(not(xielu_force_scalar))]
    return avx2_fma::get() && cpuid_bit(1, 0, |r| r.ecx, 29);
    #[cfg(xielu_force_scalar)]
    false
}

/// [`avx2`] and the byte dot products of AVX-VNNI.
pub(crate) fn avx_vnni() -> bool {
    #[cfg(not(xielu_force_scalar))]
    return avx2() && cpuid_bit(7, 1, |r| r.eax, 4);
    #[cfg(xielu_force_scalar)]
    false
}

/// [`avx2`] and AVX-512 F, BW, DQ and VL.
pub(crate) fn avx512() -> bool {
    #[cfg(not(xielu_force_scalar))]
    return avx2() && avx512_base::get();
    #[cfg(xielu_force_scalar)]
    false
}

/// [`avx512`] and the byte dot products of AVX-512 VNNI.
pub(crate) fn avx512_vnni() -> bool {
    #[cfg(not(xielu_force_scalar))]
    return avx512() && cpuid_bit(7, 0, |r| r.ecx, 11);
    #[cfg(xielu_force_scalar)]
    false
}
