//! Instruction sets by the names that the library has for them.

/// Those that this machine has, as the standard library finds them, which asks by ways of its own.
/// AMX, which it cannot tell, is not among them.
pub fn reported() -> Vec<&'static str> {
    let mut names = vec!["scalar"];
    if cfg!(xielu_force_scalar) {
        return names;
    }
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected as has;
        let avx2 = has!("avx2") && has!("fma") && has!("f16c");
        let avx512 =
            avx2 && has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl");
        names.extend(avx2.then_some("avx2"));
        names.extend((avx2 && has!("avxvnni")).then_some("avx-vnni"));
        names.extend(avx512.then_some("avx512"));
        names.extend((avx512 && has!("avx512vnni")).then_some("avx512-vnni"));
    }
    #[cfg(target_arch = "aarch64")]
    {
        use std::arch::is_aarch64_feature_detected as has;
        names.push("neon");
        names.extend(has!("dotprod").then_some("dotprod"));
        names.extend((has!("dotprod") && has!("i8mm")).then_some("i8mm"));
    }
    if cfg!(all(target_arch = "wasm32", target_feature = "simd128")) {
        names.push("simd128");
    }
    names
}

/// Holds a loop over instruction sets to what the machine has: the scalar kernels, and all that it
/// reports.
///
/// # Panics
/// If one of these is not among `found`.
pub fn assert_complete(found: &[&str]) {
    for name in reported() {
        assert!(found.contains(&name), "this machine has {name}, the loop is over {found:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_noticed() {
        assert_complete(&reported());
        assert_complete(&[&reported()[..], &["amx"]].concat());
        let without = &reported()[1..];
        std::panic::catch_unwind(|| assert_complete(without)).unwrap_err();
    }
}
