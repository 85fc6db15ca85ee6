//! defmt's transport: each frame goes to the host's standard output by semihosting.

use core::cell::UnsafeCell;

use heapless::Vec;

use crate::semihosting::Output;

/// Longer frames are cut.
const FRAME: usize = 1024;

struct State {
    encoder: defmt::Encoder,
    frame: Vec<u8, FRAME>,
    out: Option<Output>,
}

struct Shared(UnsafeCell<State>);

// SAFETY: one core, and no interrupt is ever enabled.
unsafe impl Sync for Shared {}

static STATE: Shared =
    Shared(UnsafeCell::new(State { encoder: defmt::Encoder::new(), frame: Vec::new(), out: None }));

#[defmt::global_logger]
struct Semihosting;

// SAFETY: `acquire`, `write` and `release` are called in this order by defmt, which never nests
// them without an interrupt.
unsafe impl defmt::Logger for Semihosting {
    fn acquire() {
        with(|encoder, frame| encoder.start_frame(|bytes| append(frame, bytes)));
    }

    unsafe fn write(bytes: &[u8]) {
        with(|encoder, frame| encoder.write(bytes, |bytes| append(frame, bytes)));
    }

    unsafe fn flush() {}

    unsafe fn release() {
        with(|encoder, frame| encoder.end_frame(|bytes| append(frame, bytes)));
        // SAFETY: as for `with`.
        let state = unsafe { &mut *STATE.0.get() };
        if state.out.is_none() {
            state.out = Output::open();
        }
        if let Some(out) = state.out {
            out.write(&state.frame);
        }
        state.frame.clear();
    }
}

fn with(f: impl FnOnce(&mut defmt::Encoder, &mut Vec<u8, FRAME>)) {
    // SAFETY: one core without interrupts, and no caller is called by another: nothing else
    // borrows the state.
    let State { encoder, frame, .. } = unsafe { &mut *STATE.0.get() };
    f(encoder, frame);
}

fn append(frame: &mut Vec<u8, FRAME>, bytes: &[u8]) {
    for &byte in bytes {
        let _ = frame.push(byte);
    }
}
