//! The kernels of every instruction set that this machine runs.

use xielu::kernels::{Isa, Kernels};

/// All of them: the scalar ones, and every one that the machine itself reports.
///
/// # Panics
/// If one of these is missing.
pub fn every_kernel() -> Vec<Kernels> {
    let all: Vec<Kernels> = Isa::ALL.into_iter().filter_map(Kernels::for_isa).collect();
    let has = |isa| all.iter().any(|kernels| kernels.isa() == isa);
    assert!(has(Isa::Scalar) && has(Isa::detect()), "{all:?}");
    for isa in reported() {
        assert!(has(isa), "the machine has {isa}, and there are no kernels of it");
    }
    all
}

/// What the standard library finds, which asks by ways of its own.
fn reported() -> Vec<Isa> {
    let mut isas = Vec::new();
    if cfg!(xielu_force_scalar) {
        return isas;
    }
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected as has;
        let avx2 = has!("avx2") && has!("fma") && has!("f16c");
        let avx512 =
            avx2 && has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl");
        isas.extend(avx2.then_some(Isa::Avx2));
        isas.extend((avx2 && has!("avxvnni")).then_some(Isa::AvxVnni));
        isas.extend(avx512.then_some(Isa::Avx512));
        isas.extend((avx512 && has!("avx512vnni")).then_some(Isa::Avx512Vnni));
    }
    #[cfg(target_arch = "aarch64")]
    {
        use std::arch::is_aarch64_feature_detected as has;
        isas.push(Isa::Neon);
        isas.extend(has!("dotprod").then_some(Isa::Dotprod));
        isas.extend((has!("dotprod") && has!("i8mm")).then_some(Isa::I8mm));
    }
    if cfg!(all(target_arch = "wasm32", target_feature = "simd128")) {
        isas.push(Isa::Simd128);
    }
    isas
}
