//! Which library this is.

use core::ffi::c_char;

/// The version of the functions and structs of this header. It changes when a program built with
/// an older header could not use this library.
pub const XIELU_ABI_VERSION: u32 = 1;

/// The XIELU_ABI_VERSION that the library was built with: compare it with the header's.
#[unsafe(no_mangle)]
pub extern "C" fn xielu_abi_version() -> u32 {
    XIELU_ABI_VERSION
}

/// The library's version, such as "0.1.0".
#[unsafe(no_mangle)]
pub extern "C" fn xielu_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}
