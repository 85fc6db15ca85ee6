//! The C functions as a static library for a machine without an operating system.
#![no_std]

use core::panic::PanicInfo;

use capi as _;

/// Nothing in the library panics. If it could, this would be linked, and the program would not.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        fn a_panic_is_reachable() -> !;
    }
    // SAFETY: never runs; a program with this call does not link.
    unsafe { a_panic_is_reachable() }
}
