//! The bundled model at a prompt on a Nucleo-H743ZI: 115,200 baud on USART3, which is the serial port
//! that the board's ST-Link shows over USB.
#![no_std]
#![no_main]

use cortex_m::peripheral::DWT;
use cortex_m_rt::entry;
use embassy_stm32::mode::Blocking;
use embassy_stm32::rcc::{
    AHBPrescaler, APBPrescaler, Pll, PllDiv, PllMul, PllPreDiv, PllSource, Sysclk, VoltageScale,
};
use embassy_stm32::usart::{Config, Uart};
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
    /// As `clocks` sets it.
    const HZ: u32 = 400_000_000;

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

/// 400 MHz from the internal oscillator's 64, buses at half of it and a quarter.
fn clocks() -> embassy_stm32::Config {
    let mut config = embassy_stm32::Config::default();
    let rcc = &mut config.rcc;
    rcc.pll1 = Some(Pll {
        source: PllSource::HSI,
        prediv: PllPreDiv::DIV4,
        mul: PllMul::MUL50,
        fracn: None,
        divp: Some(PllDiv::DIV2),
        divq: None,
        divr: None,
    });
    rcc.sys = Sysclk::PLL1_P;
    rcc.ahb_pre = AHBPrescaler::DIV2;
    rcc.apb1_pre = APBPrescaler::DIV2;
    rcc.apb2_pre = APBPrescaler::DIV2;
    rcc.apb3_pre = APBPrescaler::DIV2;
    rcc.apb4_pre = APBPrescaler::DIV2;
    rcc.voltage_scale = VoltageScale::Scale1;
    config
}

#[entry]
fn main() -> ! {
    board_memory::paint_stack();
    if let Some(mut core) = cortex_m::Peripherals::take() {
        // The weights come from flash, which is many cycles away.
        core.SCB.enable_icache();
        core.SCB.enable_dcache(&mut core.CPUID);
        core.DCB.enable_trace();
        DWT::unlock();
        core.DWT.enable_cycle_counter();
    }
    let p = embassy_stm32::init(clocks());
    let Ok(uart) = Uart::new_blocking(p.USART3, p.PD9, p.PD8, Config::default()) else { halt() };
    let mut serial = Serial(uart);
    match SESSION.take().map(Session::start) {
        Some(Ok(mut session)) => loop {
            Console::<256>::new(200).run(&mut session, &mut serial);
        },
        _ => serial.write(b"the model does not run\r\n"),
    }
    halt()
}

fn halt() -> ! {
    loop {
        cortex_m::asm::wfi();
    }
}
