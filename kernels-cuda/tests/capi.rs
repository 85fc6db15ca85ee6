//! The C functions: the header is what the source says, C and C++ programs build with it, and
//! whatever can be refused is.

use std::ffi::CStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, ptr};

use xielu_kernels_cuda::capi::*;
use xielu_testing::require;

const HEADER: &str = "include/xielu_cuda.h";

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// `XIELU_BLESS=1` writes the header anew.
#[test]
fn the_header_is_made_from_the_source() {
    let config = cbindgen::Config::from_file(package().join("cbindgen.toml")).unwrap();
    let source = package().join("src/capi.rs");
    let builder = cbindgen::Builder::new().with_config(config).with_src(source);
    let mut made = Vec::new();
    builder.generate().unwrap().write(&mut made);
    let path = package().join(HEADER);
    if std::env::var_os("XIELU_BLESS").is_some() {
        fs::write(&path, &made).unwrap();
    }
    let committed = fs::read(&path).unwrap();
    assert!(committed == made, "{HEADER} is not what XIELU_BLESS=1 writes");
}

/// Compiles a program that uses every struct of the header, where there is the compiler.
fn compile(compiler: &str, flags: &[&str], name: &str) {
    if !require::program("cc", compiler) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let source: PathBuf = folder.path().join(name);
    fs::write(
        &source,
        "#include \"xielu_cuda.h\"\n\
         int check(xielu_cuda *cuda, void *x) {\n\
         struct xielu_cuda_coefficients c = {0.8f, 0.8f, 0.5f, 0.0f, 1.0, 1.0};\n\
         struct xielu_cuda_call call = {0, XIELU_CUDA_XIELU, XIELU_CUDA_BF16, 0, 0};\n\
         call.coefficients = &c;\n\
         return xielu_cuda_forward(cuda, &call, x, x, 32) != XIELU_CUDA_OK;\n\
         }\n",
    )
    .unwrap();
    let output = Command::new(compiler)
        .args(flags)
        .args(["-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only", "-I"])
        .arg(package().join("include"))
        .arg(&source)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_header_compiles() {
    compile("cc", &["-std=c99"], "check.c");
    compile("c++", &["-std=c++17"], "check.cpp");
}

fn last_error() -> String {
    // SAFETY: the text is this thread's until its next failure.
    unsafe { CStr::from_ptr(xielu_cuda_last_error()) }.to_str().unwrap().to_owned()
}

#[test]
fn no_such_device() {
    let mut cuda = ptr::dangling_mut();
    // SAFETY: `cuda` is valid.
    let status = unsafe { xielu_cuda_open(9999, &mut cuda) };
    assert_ne!(status, xielu_cuda_status::XIELU_CUDA_OK);
    assert!(cuda.is_null());
    assert!(last_error().to_lowercase().contains("cuda"), "{}", last_error());
    // SAFETY: NULL is allowed.
    unsafe { xielu_cuda_close(cuda) };
}

#[test]
fn null_is_refused() {
    let call = xielu_cuda_call {
        stream: ptr::null_mut(),
        function: XIELU_CUDA_XIELU,
        dtype: XIELU_CUDA_F32,
        coefficients: ptr::null(),
        device_coefficients: ptr::null(),
    };
    let (none, nothing) = (ptr::null(), ptr::null_mut());
    // SAFETY: NULL is allowed everywhere.
    let found = unsafe {
        [
            xielu_cuda_open(0, ptr::null_mut()),
            xielu_cuda_forward(none, &call, ptr::null(), nothing, 1),
            xielu_cuda_forward_q8_0(none, &call, ptr::null(), nothing, 32),
            xielu_cuda_swiglu(none, &call, ptr::null(), ptr::null(), nothing, 1),
            xielu_cuda_swiglu_q8_0(none, &call, ptr::null(), ptr::null(), nothing, 32),
            xielu_cuda_backward(none, &call, ptr::null()),
            xielu_cuda_swiglu_backward(none, &call, ptr::null()),
            xielu_cuda_freeze(none, &call, ptr::null(), ptr::null(), 0.5, 0.0, nothing),
        ]
    };
    assert!(found.iter().all(|&s| s == xielu_cuda_status::XIELU_CUDA_INVALID), "{found:?}");
    assert_eq!(last_error(), "cuda is NULL");
    assert_eq!(xielu_cuda_workspace_size(8193), 32);
}
