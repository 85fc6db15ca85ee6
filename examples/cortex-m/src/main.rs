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
#[cfg(feature = "two-cores")]
mod second;
mod semihosting;
mod size;

use board::Instructions;
use defmt::{error, info};
use generate::{Observer, Session, generate};
use xielu::embedded::Static;
use xielu::kernels::Kernels;

/// The model, in flash.
#[unsafe(link_section = ".model")]
static FLASH: [u8; include_bytes!("../../../models/tiny-Q8_0.gguf").len()] =
    *include_bytes!("../../../models/tiny-Q8_0.gguf");
const MODEL: &[u8] = &FLASH;

static SESSION: Static<Session> = Static::new(Session::without_text());

/// Reports tokens, and counts the instructions of those that were decoded to follow another.
struct Report {
    counter: Instructions,
    steps: u32,
    instructions: u32,
    #[cfg(feature = "two-cores")]
    pair: &'static second::Pair,
}

impl Observer for Report {
    fn step_begins(&mut self) {
        #[cfg(feature = "two-cores")]
        if self.steps == 0 {
            self.pair.reset();
        }
        self.counter.start();
        self.steps += 1;
    }

    fn token(&mut self, id: u32, piece: &str) {
        if self.steps > 0 {
            self.instructions = self.instructions.saturating_add(self.counter.elapsed() / 16);
        }
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
    let mut report = Report {
        counter: Instructions::new(),
        steps: 0,
        instructions: 0,
        #[cfg(feature = "two-cores")]
        pair: second::start(),
    };
    let Some(session) = SESSION.take() else { return false };
    let (ids, text) = match generate(session, &mut report) {
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
    // The last token was not decoded.
    let per_token = report.instructions.checked_div(report.steps - 1).unwrap_or(0);
    info!("measured: instructions {=u32}", per_token.saturating_mul(16));
    #[cfg(feature = "two-cores")]
    {
        let (joined, spared) = report.pair.counted();
        let of_token = |n: u32| n.checked_div(report.steps - 1).unwrap_or(0);
        info!("measured: cores {=usize}", 1 + usize::from(report.pair.is_there()));
        info!("measured: joined {=u32}", of_token(joined));
        info!("measured: spared {=u32}", of_token(spared));
        info!("measured: second-stack {=usize}", second::stack_high_water());
    }
    true
}
