//! How much RAM a program used: statics, and the deepest stack, by the symbols of the linker scripts
//! of `cortex-m-rt` and `riscv-rt`.
#![no_std]

/// What an unused word of the stack holds.
const PAINT: u32 = 0x5aa5_c33c;
/// Bytes below the stack pointer that are not painted: [`paint_stack`] itself lies there.
const MARGIN: usize = 512;

unsafe extern "C" {
    static mut __euninit: u32;
    static __sdata: u8;
    static __ebss: u8;
    static _stack_start: u32;
}

fn bytes_between(from: *const u8, to: *const u8) -> usize {
    to.addr().wrapping_sub(from.addr())
}

/// Bytes of static memory.
pub fn static_ram() -> usize {
    bytes_between(&raw const __sdata, &raw const __ebss)
}

/// Fills the unused part of the stack, which lies above the statics: once, when a program begins.
#[inline(never)]
pub fn paint_stack() {
    let mut word = &raw mut __euninit;
    let here = (&raw const word).addr();
    while word.addr() < here.saturating_sub(MARGIN) {
        // SAFETY: between the end of the statics and the stack pointer lies nothing.
        unsafe { word.write_volatile(PAINT) };
        word = word.wrapping_add(1);
    }
}

/// Bytes from the stack's start to the lowest word that was written since it was painted.
pub fn stack_high_water() -> usize {
    let mut word = (&raw const __euninit).cast::<u32>();
    let start = &raw const _stack_start;
    // SAFETY: up to the stack's start, memory is this program's.
    while word < start && unsafe { word.read_volatile() } == PAINT {
        word = word.wrapping_add(1);
    }
    bytes_between(word.cast(), start.cast())
}
