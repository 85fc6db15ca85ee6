//! A trained xIELU Llama on a microcontroller: weights in flash, everything else in static memory
//! whose size is known when the program is compiled. Logs by defmt.
//!
//! As in `examples/no-panic`, the panic handler calls a function that exists nowhere, so that the
//! program does not link if a panic is reachable.
#![no_std]
#![no_main]

mod board;
mod generate;
mod log;
mod semihosting;

use core::cell::UnsafeCell;
use core::panic::PanicInfo;

use board::Instructions;
use defmt::{error, info};
use generate::{Layers, Memory, NO_LAYERS, Observer, generate};
use xielu::kernels::Kernels;

/// The model, in flash.
#[unsafe(link_section = ".model")]
static MODEL: [u8; include_bytes!("../../../models/tiny-Q8_0.gguf").len()] =
    *include_bytes!("../../../models/tiny-Q8_0.gguf");

struct Static<T>(UnsafeCell<T>);

// SAFETY: one core, no interrupts.
unsafe impl<T> Sync for Static<T> {}

static LAYERS: Static<Layers> = Static(UnsafeCell::new(NO_LAYERS));
static MEMORY: Static<Memory> = Static(UnsafeCell::new(Memory::new()));

/// Reports tokens, and counts the instructions of those that were generated.
struct Report {
    counter: Instructions,
    steps: u32,
    instructions: u32,
}

impl Observer for Report {
    fn step_begins(&mut self) {
        self.counter.start();
    }

    fn step_ends(&mut self, generated: bool) {
        if generated {
            self.instructions = self.instructions.saturating_add(self.counter.elapsed() / 16);
            self.steps += 1;
        }
    }

    fn token(&mut self, id: u32, piece: &str) {
        info!("{=u32} {=str}", id, piece);
    }
}

#[board::entry]
fn main() -> ! {
    board::paint_stack();
    info!("board: {=str}", board::NAME);
    semihosting::exit(run())
}

fn run() -> bool {
    if let Err(wrong) = xielu::selftest(&Kernels::detect()) {
        error!("selftest: {}", wrong);
        return false;
    }
    info!("selftest: passed");
    let mut report = Report { counter: Instructions::new(), steps: 0, instructions: 0 };
    // SAFETY: called once, by `main`, which cannot be called.
    let (layers, memory) = unsafe { (&mut *LAYERS.0.get(), &mut *MEMORY.0.get()) };
    let (ids, text) = match generate(&MODEL, layers, memory, &mut report) {
        Ok(generated) => generated,
        Err(error) => {
            error!("the model does not run: {}", error);
            return false;
        }
    };
    info!("text: {=str}", text.as_str());
    info!("generated: {=usize} tokens", ids.len());
    info!("measured: flash {=usize}", board::flash());
    info!("measured: model {=usize}", MODEL.len());
    info!("measured: ram {=usize}", board::static_ram());
    info!("measured: stack {=usize}", board::stack_high_water());
    let per_token = report.instructions.checked_div(report.steps).unwrap_or(0);
    info!("measured: instructions {=u32}", per_token.saturating_mul(16));
    true
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        /// Defined nowhere, so that a reachable panic is a link error.
        fn a_panic_is_reachable() -> !;
    }
    // SAFETY: never runs; a program with this call does not link.
    unsafe { a_panic_is_reachable() }
}
