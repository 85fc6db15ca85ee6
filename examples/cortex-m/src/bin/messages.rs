//! The errors of `messages.rs`, as a board logs them.
#![no_std]
#![no_main]

#[path = "../board.rs"]
#[allow(dead_code, reason = "nothing is measured here")]
mod board;
#[path = "../log.rs"]
mod log;
#[path = "../messages.rs"]
mod messages;
#[path = "../semihosting.rs"]
mod semihosting;
#[path = "../size.rs"]
mod size;

use defmt::info;

#[board::entry]
fn main() -> ! {
    messages::each(|error| info!("{}", error));
    semihosting::exit(true)
}
