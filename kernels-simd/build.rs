//! Which targets are small, and what of the Arm M-profile a target has: on that architecture the
//! compiler does not tell a stable crate which features are on.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(xielu_dsp, xielu_small, xielu_vfma)");
    let variable = |name| std::env::var(name).unwrap_or_default();
    let target = variable("TARGET");
    let features = variable("CARGO_CFG_TARGET_FEATURE");
    let simd = ["x86", "wasm32"].contains(&variable("CARGO_CFG_TARGET_ARCH").as_str());
    if variable("CARGO_CFG_TARGET_POINTER_WIDTH") != "64" && !simd {
        println!("cargo::rustc-cfg=xielu_small");
    }
    // Armv7E-M is Armv7-M with the DSP instructions; Armv8-M may have them.
    let dsp = features.split(',').any(|feature| feature == "dsp");
    if target.starts_with("thumbv7em") || (target.starts_with("thumbv8m.main") && dsp) {
        println!("cargo::rustc-cfg=xielu_dsp");
    }
    // Every FPU of theirs fuses.
    let fpu = target.starts_with("thumbv7em") || target.starts_with("thumbv8m.main");
    if fpu && target.ends_with("hf") {
        println!("cargo::rustc-cfg=xielu_vfma");
    }
}
