//! The bundled model at a prompt on an ESP32-C6-DevKitC-1: 115,200 baud on UART0, GPIO16 (TX) and
//! GPIO17 (RX), which is the board's USB port called UART.
#![no_std]
#![no_main]

use esp_hal::clock::CpuClock;
use esp_hal::time::Instant;
use esp_hal::uart::{Config, Uart};
use esp_hal::{Blocking, main};
use panic_halt as _;
use xielu::embedded::{Console, Program, Session, Static, Terminal};

esp_bootloader_esp_idf::esp_app_desc!();

struct Bundled;
impl Program for Bundled {
    const MODEL: &'static [u8] = include_bytes!("../../../../models/tiny-Q8_0.gguf");
}
/// All of the context that the model was trained with.
static SESSION: Static<Session<Bundled, 4, 256, 274_000>> = Static::new(Session::new());

struct Serial(Uart<'static, Blocking>);

impl Terminal for Serial {
    /// Microseconds.
    const HZ: u32 = 1_000_000;

    fn read(&mut self) -> u8 {
        let mut byte = [0];
        // Noise on the line is not a character.
        while self.0.read(&mut byte) != Ok(1) {}
        byte[0]
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Ok(written) = self.0.write(rest) {
            rest = rest.get(written..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
        }
    }

    fn ticks(&mut self) -> u32 {
        Instant::now().duration_since_epoch().as_micros() as u32
    }

    fn ram(&mut self) -> usize {
        board_memory::static_ram() + board_memory::stack_high_water()
    }
}

#[main]
fn main() -> ! {
    board_memory::paint_stack();
    let p = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()));
    if let Ok(uart) = Uart::new(p.UART0, Config::default()) {
        let mut serial = Serial(uart.with_tx(p.GPIO16).with_rx(p.GPIO17));
        match SESSION.take().map(Session::start) {
            Some(Ok(mut session)) => loop {
                Console::<256>::new(200).run(&mut session, &mut serial);
            },
            _ => serial.write(b"the model does not run\r\n"),
        }
    }
    loop {
        core::hint::spin_loop();
    }
}
