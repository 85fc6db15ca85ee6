//! Which targets are small, and what of the Arm M-profile a target has: on that architecture the
//! compiler does not tell a stable crate which features are on. And what the build of a small target
//! leaves out.

/// Variables that name what a small target needs, and everything they can name. Unset, they name
/// all of it.
const CHOICES: [(&str, &[&str]); 2] = [
    (
        "XIELU_TYPES",
        &[
            "F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_K", "Q5_K", "Q6_K", "Q8_0_KV", "Q4_1",
            "Q5_0", "Q5_1", "Q8_1", "Q2_K", "Q3_K", "Q8_K", "IQ4_NL", "IQ4_XS", "MXFP4", "NVFP4",
            "TQ1_0", "TQ2_0", "IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S",
        ],
    ),
    ("XIELU_ACTIVATIONS", &["xielu", "xiprelu", "relu2", "swiglu", "silu", "elu", "xsilu"]),
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!(
        "cargo::rustc-check-cfg=cfg(xielu_armv8m, xielu_dsp, xielu_mve, xielu_small, xielu_soft, xielu_vfma)"
    );
    let variable = |name| std::env::var(name).unwrap_or_default();
    let target = variable("TARGET");
    let features = variable("CARGO_CFG_TARGET_FEATURE");
    let simd = ["x86", "wasm32"].contains(&variable("CARGO_CFG_TARGET_ARCH").as_str());
    let small = variable("CARGO_CFG_TARGET_POINTER_WIDTH") != "64" && !simd;
    if small {
        println!("cargo::rustc-cfg=xielu_small");
    }
    let abi = variable("CARGO_CFG_TARGET_ABI");
    let soft = match variable("CARGO_CFG_TARGET_ARCH").as_str() {
        "arm" => abi == "eabi",
        "riscv32" => !features.split(',').any(|feature| feature == "f"),
        _ => false,
    };
    if small && soft {
        println!("cargo::rustc-cfg=xielu_soft");
    }
    for (variable, known) in CHOICES {
        leave_out(variable, known, small);
    }
    // Armv7E-M is Armv7-M with the DSP instructions; Armv8-M may have them, and has if a CPU is named
    // that does.
    let flags = variable("CARGO_ENCODED_RUSTFLAGS");
    let is_cpu = |cpu: &&str| flags.contains(&format!("target-cpu=cortex-{cpu}"));
    let helium = ["m55", "m85"].iter().any(is_cpu);
    let dsp = features.split(',').any(|feature| feature == "dsp")
        || ["m33", "m35p"].iter().any(is_cpu)
        || helium;
    if target.starts_with("thumbv7em") || (target.starts_with("thumbv8m.main") && dsp) {
        println!("cargo::rustc-cfg=xielu_dsp");
        if target.starts_with("thumbv8m") {
            println!("cargo::rustc-cfg=xielu_armv8m");
        }
    }
    // Every FPU of theirs fuses.
    let fpu = target.starts_with("thumbv7em") || target.starts_with("thumbv8m.main");
    if fpu && target.ends_with("hf") {
        println!("cargo::rustc-cfg=xielu_vfma");
        if target.starts_with("thumbv8m") && helium {
            println!("cargo::rustc-cfg=xielu_mve");
        }
    }
}

/// Sets `xielu_without` for each of `known` that `variable` does not name.
fn leave_out(variable: &str, known: &[&str], small: bool) {
    println!("cargo::rerun-if-env-changed={variable}");
    println!("cargo::rustc-check-cfg=cfg(xielu_without, values(\"{}\"))", known.join("\", \""));
    let Ok(named) = std::env::var(variable) else { return };
    let named: Vec<&str> = named.split([' ', ',']).filter(|name| !name.is_empty()).collect();
    if let Some(unknown) = named.iter().find(|name| !known.contains(name)) {
        println!("cargo::error={variable}: {unknown} is none of {}", known.join(", "));
    }
    for name in known.iter().filter(|name| small && !named.contains(name)) {
        println!("cargo::rustc-cfg=xielu_without=\"{name}\"");
    }
}
