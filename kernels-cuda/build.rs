//! Compiles the kernels for the CPU, if the feature `host-twin` asks for it.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "host-twin")]
    host_twin();
}

#[cfg(feature = "host-twin")]
fn host_twin() {
    println!("cargo::rerun-if-changed=cuda");
    let mut build = cc::Build::new();
    // No use is made of C++'s library; a `.cu` file is C++ to nvcc only.
    build.cpp(true).std("c++17").cpp_link_stdlib(None).extra_warnings(true);
    build.flag("-x").flag("c++");
    // The bits are those of single operations, as `-fmad=false` makes them on the device.
    build.flag("-ffp-contract=off").flag("-fno-strict-aliasing").flag("-fno-math-errno");
    if std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("x86_64") {
        build.flag("-mavx2").flag("-mfma");
    }
    let mut files: Vec<_> = std::fs::read_dir("cuda")
        .expect("the folder cuda")
        .map(|entry| entry.expect("an entry of the folder cuda").path())
        .filter(|path| path.extension().is_some_and(|e| e == "cu"))
        .collect();
    files.sort();
    build.files(files).compile("xielu_cuda_host_twin");
}
