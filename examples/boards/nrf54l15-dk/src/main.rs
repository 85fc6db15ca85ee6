//! The bundled model at a prompt on an nRF54L15-DK: 115,200 baud on UARTE20, P1.04 (TX) and P1.05
//! (RX), which is a serial port that the board's debugger shows over USB.
#![no_std]
#![no_main]

use cortex_m::peripheral::DWT;
use cortex_m_rt::entry;
use embassy_nrf::config::ClockSpeed;
use embassy_nrf::uarte::{self, Uarte};
use embassy_nrf::{bind_interrupts, peripherals};
use panic_halt as _;
use xielu::embedded::{Console, Program, Session, Static, Terminal};

struct Bundled;
impl Program for Bundled {
    const MODEL: &'static [u8] = include_bytes!("../../../../models/tiny-Q8_0.gguf");
}
static SESSION: Static<Session<Bundled, 4, 192, 208_500>> = Static::new(Session::new());

bind_interrupts!(struct Interrupts {
    SERIAL20 => uarte::InterruptHandler<peripherals::SERIAL20>;
});

struct Serial(Uarte<'static>);

impl Terminal for Serial {
    /// As `main` sets it.
    const HZ: u32 = 128_000_000;

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
    let mut config = embassy_nrf::config::Config::default();
    config.clock_speed = ClockSpeed::CK128;
    let p = embassy_nrf::init(config);
    if let Some(mut core) = cortex_m::Peripherals::take() {
        core.DCB.enable_trace();
        core.DWT.enable_cycle_counter();
    }
    let config = uarte::Config::default();
    let mut serial = Serial(Uarte::new(p.SERIAL20, p.P1_05, p.P1_04, Interrupts, config));
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
