//! The products of `products.rs` on a board: their bits, and what they cost.
#![no_std]
#![no_main]

#[path = "../board.rs"]
#[allow(dead_code, reason = "no memory is measured here")]
mod board;
#[path = "../log.rs"]
mod log;
#[path = "../products.rs"]
mod products;
#[path = "../semihosting.rs"]
mod semihosting;
#[path = "../size.rs"]
mod size;

use core::cell::UnsafeCell;

use board::Instructions;
use defmt::{error, info};
use products::{Memory, Observer, products};
use xielu::kernels::{DType, Kernels};

struct Static<T>(UnsafeCell<T>);

// SAFETY: one core, no interrupts.
unsafe impl<T> Sync for Static<T> {}

static MEMORY: Static<Memory> = Static(UnsafeCell::new(Memory::new()));

struct Report {
    counter: Instructions,
    elapsed: u32,
}

impl Observer for Report {
    fn begins(&mut self) {
        self.counter.start();
    }

    fn computed(&mut self) {
        self.elapsed = self.counter.elapsed();
    }

    fn result(&mut self, dtype: DType, (rows, cols, tokens): (usize, usize, usize), hash: u32) {
        let name = dtype.name();
        info!("{=str} {=usize}x{=usize} {=usize}: {=u32}", name, rows, cols, tokens, hash);
        let products = (rows * cols * tokens) as u32;
        if products > 10_000 {
            // In hundredths.
            info!("measured: {=str}-{=usize} {=u32}", name, cols, self.elapsed * 100 / products);
        }
    }
}

#[board::entry]
fn main() -> ! {
    let mut report = Report { counter: Instructions::new(), elapsed: 0 };
    // SAFETY: called once, by the board.
    let memory = unsafe { &mut *MEMORY.0.get() };
    let good = products(&Kernels::detect(), memory, &mut report).is_ok();
    if !good {
        error!("a product was refused");
    }
    semihosting::exit(good)
}
