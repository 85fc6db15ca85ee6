//! Detection of CPU features by CPUID, so without `std`; [`crate::arch::detected`] does it once.

#[cfg(not(xielu_force_scalar))]
cpufeatures::new!(avx2_fma, "avx2", "fma");
#[cfg(not(xielu_force_scalar))]
cpufeatures::new!(avx512_base, "avx512f", "avx512bw", "avx512dq", "avx512vl");

/// One bit of a CPUID register, for features that `cpufeatures` does not know. That the operating
/// system saves the wide registers is covered by the features it does know.
#[cfg(not(xielu_force_scalar))]
fn cpuid_bit(
    leaf: u32,
    subleaf: u32,
    register: fn(core::arch::x86_64::CpuidResult) -> u32,
    bit: u32,
) -> bool {
    #[allow(unused_unsafe)] // safe since Rust 1.94, unsafe before
    // SAFETY: every x86-64 CPU has the CPUID instruction; the answer for an unknown leaf is not used (checked below).
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

/// [`avx512_vnni`], AVX-512 BF16 and AMX's tiles, bytes and bf16, which this process may use.
pub(crate) fn amx() -> bool {
    #[cfg(not(xielu_force_scalar))]
    return avx512_vnni() && cpuid_bit(7, 1, |r| r.eax, 5) && may_use_tiles();
    #[cfg(xielu_force_scalar)]
    false
}

/// Whether the tiles can be used. Linux permits them to a process on request.
#[cfg(all(target_os = "linux", not(xielu_force_scalar)))]
fn may_use_tiles() -> bool {
    let [bf16, tile, int8] = [22, 24, 25].map(|bit| cpuid_bit(7, 0, |r| r.edx, bit));
    let yes = bf16 && tile && int8 && tile_state_enabled() && request_tile_data();
    #[cfg(test)]
    let yes = yes || super::amx::emulator::install();
    yes
}

/// Other systems have other requests, none of which was tried.
#[cfg(not(any(target_os = "linux", xielu_force_scalar)))]
fn may_use_tiles() -> bool {
    false
}

/// Whether the operating system saves the tiles and their configuration (XCR0, bits 17 and 18).
#[cfg(all(target_os = "linux", not(xielu_force_scalar)))]
fn tile_state_enabled() -> bool {
    const TILES: u32 = 0b11 << 17;
    const OSXSAVE: u32 = 27;
    if !cpuid_bit(1, 0, |r| r.ecx, OSXSAVE) {
        return false;
    }
    let low: u32;
    // SAFETY: OSXSAVE, checked above, says that the operating system has enabled XGETBV.
    unsafe {
        core::arch::asm!(
            "xgetbv",
            in("ecx") 0,
            out("eax") low,
            out("edx") _,
            options(nomem, nostack, preserves_flags),
        );
    }
    low & TILES == TILES
}

/// `arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)`: permission for every thread of this
/// process. Source: the kernel's `Documentation/arch/x86/xstate.rst`.
#[cfg(all(target_os = "linux", not(xielu_force_scalar)))]
fn request_tile_data() -> bool {
    const ARCH_PRCTL: isize = 158;
    const ARCH_REQ_XCOMP_PERM: usize = 0x1023;
    const XFEATURE_XTILEDATA: usize = 18;
    let result: isize;
    // SAFETY: this system call takes two numbers and touches no memory of ours; the kernel
    // changes `rcx` and `r11`.
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => result,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") XFEATURE_XTILEDATA,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    result == 0
}
