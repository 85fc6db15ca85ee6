//! The bundled model at a prompt on a Raspberry Pi Pico 2: 115,200 baud on UART0, GP0 (TX) and GP1
//! (RX), where the Debug Probe's serial cable goes.
#![no_std]
#![no_main]

use cortex_m::peripheral::DWT;
use cortex_m_rt::entry;
use embassy_rp::uart::{Blocking, Config, Uart};
use panic_halt as _;
use xielu::embedded::{Console, Program, Session, Static, Terminal};

struct Bundled;
impl Program for Bundled {
    const MODEL: &'static [u8] = include_bytes!("../../../../models/tiny-Q8_0.gguf");
}
/// All of the context that the model was trained with.
static SESSION: Static<Session<Bundled, 4, 256, 274_000>> = Static::new(Session::new());

struct Serial(Uart<'static, Blocking>);

impl Terminal for Serial {
    /// The HAL's clock for this chip.
    const HZ: u32 = 150_000_000;

    fn read(&mut self) -> u8 {
        let mut byte = [0];
        // Noise on the line is not a character.
        while self.0.blocking_read(&mut byte).is_err() {}
        byte[0]
    }

    fn write(&mut self, bytes: &[u8]) {
        // Errors are the receiver's alone.
        let _ = self.0.blocking_write(bytes);
    }

    fn ticks(&mut self) -> u32 {
        DWT::cycle_count()
    }

    fn ram(&mut self) -> usize {
        board_memory::static_ram() + board_memory::stack_high_water()
    }
}

#[entry]
fn main() -> ! {
    board_memory::paint_stack();
    let p = embassy_rp::init(Default::default());
    if let Some(mut core) = cortex_m::Peripherals::take() {
        core.DCB.enable_trace();
        core.DWT.enable_cycle_counter();
    }
    let uart = Uart::new_blocking(p.UART0, p.PIN_0, p.PIN_1, Config::default());
    let mut serial = Serial(uart);
    match SESSION.take().map(Session::start) {
        Some(Ok(mut session)) => loop {
            Console::<256>::new(200).run(&mut session, &mut serial);
        },
        _ => serial.write(b"the model does not run\r\n"),
    }
    loop {
        cortex_m::asm::wfi();
    }
}
