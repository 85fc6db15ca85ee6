//! The boards' first serial line as qemu emulates it, and their counters: what a prompt needs of a
//! board.

use xielu::embedded::Terminal;

use crate::board;

/// The serial line.
pub struct Serial(Clock);

impl Serial {
    /// Switched on. What the stack takes is counted from here.
    pub fn new() -> Self {
        board::paint_stack();
        uart::start();
        Serial(Clock::new())
    }
}

impl Terminal for Serial {
    const HZ: u32 = Clock::HZ;

    fn read(&mut self) -> u8 {
        loop {
            if let Some(byte) = uart::read() {
                return byte;
            }
            // For the counter, which goes round.
            self.0.ticks();
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| uart::write(byte));
    }

    fn ticks(&mut self) -> u32 {
        self.0.ticks()
    }

    fn ram(&mut self) -> usize {
        board::static_ram() + board::stack_high_water()
    }
}

/// Ticks that go on for hours where the counter goes round every second: it must be read in every
/// round.
struct Clock {
    last: u32,
    total: u32,
}

impl Clock {
    /// Starts the counter.
    fn new() -> Self {
        board::Instructions::new();
        Clock { last: now(), total: 0 }
    }

    /// Ticks so far.
    fn ticks(&mut self) -> u32 {
        let now = now();
        self.total = self.total.wrapping_add(now.wrapping_sub(self.last) & Self::MASK);
        self.last = now;
        self.total
    }
}

#[cfg(target_arch = "arm")]
impl Clock {
    /// Ticks in a second.
    const HZ: u32 = match board::NAME.as_bytes() {
        b"mps3-an547" => 32_000_000,
        _ => 25_000_000,
    };
    const MASK: u32 = 0x00ff_ffff;
}

#[cfg(target_arch = "riscv32")]
impl Clock {
    /// Ticks in a second, under `-icount shift=0`.
    const HZ: u32 = 1_000_000_000;
    const MASK: u32 = u32::MAX;
}

/// Ticks, upwards.
#[cfg(target_arch = "arm")]
fn now() -> u32 {
    cortex_m::peripheral::SYST::get_current().wrapping_neg()
}

/// Instructions.
#[cfg(target_arch = "riscv32")]
fn now() -> u32 {
    riscv::register::minstret::read() as u32
}

/// A register at an address.
struct Register<T>(*mut T);

impl<T> Register<T> {
    fn get(&self) -> T {
        // SAFETY: a register of this board's UART.
        unsafe { self.0.read_volatile() }
    }

    fn set(&self, value: T) {
        // SAFETY: as above; nothing else uses it.
        unsafe { self.0.write_volatile(value) }
    }
}

/// CMSDK's UART (Arm DDI 0479, "APB UART").
#[cfg(target_arch = "arm")]
mod uart {
    use super::{Register, board};

    const BASE: usize = match board::NAME.as_bytes() {
        b"mps3-an547" => 0x5930_3000, // as the secure state sees it
        _ => 0x4000_4000,
    };
    const DATA: Register<u32> = Register(core::ptr::without_provenance_mut(BASE));
    const STATE: Register<u32> = Register(core::ptr::without_provenance_mut(BASE + 0x04));
    const CONTROL: Register<u32> = Register(core::ptr::without_provenance_mut(BASE + 0x08));
    const DIVIDER: Register<u32> = Register(core::ptr::without_provenance_mut(BASE + 0x10));
    /// Bits of STATE.
    const TX_FULL: u32 = 1;
    const RX_FULL: u32 = 2;

    pub fn start() {
        // 115,200 baud of 25 MHz; the emulator does not wait.
        DIVIDER.set(217);
        CONTROL.set(0b11);
    }

    pub fn read() -> Option<u8> {
        (STATE.get() & RX_FULL != 0).then(|| DATA.get() as u8)
    }

    pub fn write(byte: u8) {
        while STATE.get() & TX_FULL != 0 {}
        DATA.set(byte.into());
    }
}

/// The 16550 of `virt`.
#[cfg(target_arch = "riscv32")]
mod uart {
    use super::Register;

    const BASE: usize = 0x1000_0000;
    const DATA: Register<u8> = Register(core::ptr::without_provenance_mut(BASE));
    const STATE: Register<u8> = Register(core::ptr::without_provenance_mut(BASE + 5));
    /// Bits of STATE.
    const DATA_READY: u8 = 1;
    const TX_EMPTY: u8 = 1 << 5;

    pub fn start() {}

    pub fn read() -> Option<u8> {
        (STATE.get() & DATA_READY != 0).then(|| DATA.get())
    }

    pub fn write(byte: u8) {
        while STATE.get() & TX_EMPTY == 0 {}
        DATA.set(byte);
    }
}
