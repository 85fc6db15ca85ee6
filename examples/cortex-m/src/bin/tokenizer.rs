//! The tokens of `tokenizer.rs` on a board: which they are, and what they cost.
#![no_std]
#![no_main]

#[path = "../board.rs"]
#[allow(dead_code, reason = "no stack is measured here")]
mod board;
#[path = "../log.rs"]
mod log;
#[path = "../semihosting.rs"]
mod semihosting;
#[path = "../size.rs"]
mod size;
#[path = "../tokenizer.rs"]
mod tokenizer;

use board::Instructions;
use defmt::{error, info};
use tokenizer::{Memory, Observer, tokenize};
use xielu::embedded::Static;

/// The model, in flash.
#[unsafe(link_section = ".model")]
static FLASH: [u8; include_bytes!("../../../../models/tiny-Q8_0.gguf").len()] =
    *include_bytes!("../../../../models/tiny-Q8_0.gguf");

static MEMORY: Static<Memory> = Static::new(Memory::new());

struct Report {
    counter: Instructions,
    tokens: u32,
}

impl Observer for Report {
    fn begins(&mut self) {
        self.counter.start();
    }

    fn cut(&mut self, ids: &[u32]) {
        let elapsed = self.counter.elapsed();
        self.tokens = ids.len() as u32;
        info!("{}", ids);
        info!("measured: cut {=u32}", elapsed.checked_div(self.tokens).unwrap_or(0));
    }

    fn written(&mut self, bytes: usize) {
        let elapsed = self.counter.elapsed();
        info!("{=usize} bytes", bytes);
        info!("measured: written {=u32}", elapsed.checked_div(self.tokens).unwrap_or(0));
    }
}

#[board::entry]
fn main() -> ! {
    let mut report = Report { counter: Instructions::new(), tokens: 0 };
    let Some(memory) = MEMORY.take() else { semihosting::exit(false) };
    let done = tokenize(&FLASH, memory, &mut report);
    if let Err(error) = &done {
        error!("{}", error);
    }
    info!("measured: memory {=usize}", Memory::bytes());
    semihosting::exit(done.is_ok())
}
