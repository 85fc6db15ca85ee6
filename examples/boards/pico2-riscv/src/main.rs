//! The bundled model at a prompt on the RISC-V cores of a Raspberry Pi Pico 2: 115,200 baud on UART0,
//! GP0 (TX) and GP1 (RX), where the Debug Probe's serial cable goes.
#![no_std]
#![no_main]

use panic_halt as _;
use rp235x_hal::Clock as _;
use rp235x_hal::block::ImageDef;
use rp235x_hal::clocks::init_clocks_and_plls;
use rp235x_hal::fugit::RateExtU32 as _;
use rp235x_hal::gpio::bank0::{Gpio0, Gpio1};
use rp235x_hal::gpio::{FunctionUart, Pin, Pins, PullDown};
use rp235x_hal::pac::{Peripherals, UART0};
use rp235x_hal::timer::{CopyableTimer0, Timer};
use rp235x_hal::uart::{DataBits, Enabled, StopBits, UartConfig, UartPeripheral};
use rp235x_hal::{Sio, Watchdog, entry};
use xielu::embedded::{Console, Program, Session, Static, Terminal};

/// What the boot ROM looks for: a program for the RISC-V cores.
#[unsafe(link_section = ".start_block")]
#[used]
static IMAGE: ImageDef = ImageDef::secure_exe();

// The boot ROM begins at the image's first byte; the definition must be in its first 4 KB.
core::arch::global_asm!(".section .boot_entry, \"ax\"", "tail _start");

struct Bundled;
impl Program for Bundled {
    const MODEL: &'static [u8] = include_bytes!("../../../../models/tiny-Q8_0.gguf");
}
/// All of the context that the model was trained with.
static SESSION: Static<Session<Bundled, 4, 256, 274_000>> = Static::new(Session::new());

/// The board's crystal, in Hz.
const CRYSTAL: u32 = 12_000_000;

type UartPins = (Pin<Gpio0, FunctionUart, PullDown>, Pin<Gpio1, FunctionUart, PullDown>);

struct Serial {
    uart: UartPeripheral<Enabled, UART0, UartPins>,
    timer: Timer<CopyableTimer0>,
}

impl Terminal for Serial {
    /// Microseconds: the cycle counter of these cores stands still until it is asked for.
    const HZ: u32 = 1_000_000;

    fn read(&mut self) -> u8 {
        let mut byte = [0];
        // Noise on the line is not a character.
        while self.uart.read_full_blocking(&mut byte).is_err() {}
        byte[0]
    }

    fn write(&mut self, bytes: &[u8]) {
        self.uart.write_full_blocking(bytes);
    }

    fn ticks(&mut self) -> u32 {
        self.timer.get_counter_low()
    }

    fn ram(&mut self) -> usize {
        board_memory::static_ram() + board_memory::stack_high_water()
    }
}

/// The clocks at their usual 150 MHz, UART and timer.
fn serial() -> Option<Serial> {
    let mut p = Peripherals::take()?;
    let mut watchdog = Watchdog::new(p.WATCHDOG);
    let resets = &mut p.RESETS;
    let (system, usb) = (p.PLL_SYS, p.PLL_USB);
    let clocks =
        init_clocks_and_plls(CRYSTAL, p.XOSC, p.CLOCKS, system, usb, resets, &mut watchdog).ok()?;
    let timer = Timer::new_timer0(p.TIMER0, resets, &clocks);
    let pins = Pins::new(p.IO_BANK0, p.PADS_BANK0, Sio::new(p.SIO).gpio_bank0, resets);
    let pins = (pins.gpio0.into_function(), pins.gpio1.into_function());
    let config = UartConfig::new(115_200.Hz(), DataBits::Eight, None, StopBits::One);
    let uart = UartPeripheral::new(p.UART0, pins, resets);
    let uart = uart.enable(config, clocks.peripheral_clock.freq()).ok()?;
    Some(Serial { uart, timer })
}

#[entry]
fn main() -> ! {
    board_memory::paint_stack();
    if let Some(mut serial) = serial() {
        match SESSION.take().map(Session::start) {
            Some(Ok(mut session)) => loop {
                Console::<256>::new(200).run(&mut session, &mut serial);
            },
            _ => serial.write(b"the model does not run\r\n"),
        }
    }
    loop {
        rp235x_hal::arch::wfi();
    }
}
