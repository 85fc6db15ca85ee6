//! The smaller bundled model at a prompt: for chips with 512 KB of flash.
#![no_std]
#![no_main]

#[path = "../board.rs"]
#[allow(dead_code, reason = "its counter alone is used")]
mod board;
#[path = "../semihosting.rs"]
#[allow(dead_code, reason = "text goes over the serial line")]
mod semihosting;
#[path = "../serial.rs"]
mod serial;
#[path = "../size.rs"]
mod size;

use board::entry;
use semihosting::exit;
use serial::Serial;
use xielu::embedded::{Console, Program, Session, Static};

/// The model, in flash.
#[unsafe(link_section = ".model")]
static FLASH: [u8; include_bytes!("../../../../models/micro-Q8_0.gguf").len()] =
    *include_bytes!("../../../../models/micro-Q8_0.gguf");

struct Micro;
impl Program for Micro {
    const MODEL: &'static [u8] = &FLASH;
}
static SESSION: Static<Session<Micro, 4, 64, 41_100>> = Static::new(Session::new());

#[entry]
fn main() -> ! {
    let mut serial = Serial::new();
    if let Some(Ok(mut session)) = SESSION.take().map(Session::start) {
        Console::<128>::new(40).run(&mut session, &mut serial);
    }
    exit(true)
}
