//! The bundled model at a prompt: typed on the board's serial line, answered there. The README has
//! the lines between the marks (`cargo xtask docs`).
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
static FLASH: [u8; include_bytes!("../../../../models/tiny-Q8_0.gguf").len()] =
    *include_bytes!("../../../../models/tiny-Q8_0.gguf");

// README: begin
struct Bundled;
impl Program for Bundled {
    const MODEL: &'static [u8] = &FLASH;
}
static SESSION: Static<Session<Bundled, 4, 64, 76_000>> = Static::new(Session::new());

#[entry]
fn main() -> ! {
    let mut serial = Serial::new();
    if let Some(Ok(mut session)) = SESSION.take().map(Session::start) {
        Console::<128>::new(40).run(&mut session, &mut serial);
    }
    exit(true)
}
// README: end
