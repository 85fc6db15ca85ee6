//! What programs for boards share. Of those that measure flash (`size-*`) nothing else runs: their
//! entry points are the functions that are measured, and what is linked is what those reach.

/// As in the firmware: a reachable panic is a link error.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        fn a_panic_is_reachable() -> !;
    }
    // SAFETY: never runs; a program with this call does not link.
    unsafe { a_panic_is_reachable() }
}
