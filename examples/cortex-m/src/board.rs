//! What differs between the boards: the entry point, the counter of instructions, the stack.

#[cfg(target_arch = "arm")]
pub use cortex_m_rt::entry;
#[cfg(target_arch = "riscv32")]
pub use riscv_rt::entry;

/// The board's name in qemu.
pub const NAME: &str = env!("BOARD");

/// What an unused word of the stack holds.
const PAINT: u32 = 0x5aa5_c33c;
/// Bytes below the stack pointer that are not painted: `paint_stack` itself lies there.
const MARGIN: usize = 512;

unsafe extern "C" {
    static mut __euninit: u32;
    static __sdata: u8;
    static __ebss: u8;
    static __stext: u8;
    static __etext: u8;
    static __srodata: u8;
    static __erodata: u8;
    static _stack_start: u32;
}

fn bytes_between(from: *const u8, to: *const u8) -> usize {
    to.addr().wrapping_sub(from.addr())
}

/// Bytes of static memory.
pub fn static_ram() -> usize {
    bytes_between(&raw const __sdata, &raw const __ebss)
}

/// Bytes of code and constants, without the model.
pub fn flash() -> usize {
    bytes_between(&raw const __stext, &raw const __etext)
        + bytes_between(&raw const __srodata, &raw const __erodata)
}

/// Fills the unused part of the stack.
#[inline(never)]
pub fn paint_stack() {
    let mut word = &raw mut __euninit;
    let here = (&raw const word).addr();
    while word.addr() < here.saturating_sub(MARGIN) {
        // SAFETY: between the end of the statics and the stack pointer lies nothing.
        unsafe { word.write_volatile(PAINT) };
        word = word.wrapping_add(1);
    }
}

/// Bytes from the stack's start to the lowest word that was written.
pub fn stack_high_water() -> usize {
    let mut word = (&raw const __euninit).cast::<u32>();
    let start = &raw const _stack_start;
    // SAFETY: up to the stack's start, memory is this program's.
    while word < start && unsafe { word.read_volatile() } == PAINT {
        word = word.wrapping_add(1);
    }
    bytes_between(word.cast(), start.cast())
}

/// Counts instructions where qemu runs with `-icount shift=0`: one takes a nanosecond.
pub struct Instructions(u32);

#[cfg(target_arch = "arm")]
impl Instructions {
    /// Ticks of SysTick, whose 24 bits wrap; instructions a tick as a fraction.
    const TICK: (u32, u32) = match NAME.as_bytes() {
        b"mps3-an547" => (125, 4), // 32 MHz
        b"mps2-an521" => (50, 1),  // 20 MHz
        _ => (40, 1),              // 25 MHz
    };

    /// Starts the counter.
    pub fn new() -> Self {
        // SAFETY: nothing else uses SysTick.
        let mut systick = unsafe { cortex_m::Peripherals::steal() }.SYST;
        systick.set_clock_source(cortex_m::peripheral::syst::SystClkSource::Core);
        systick.set_reload(0x00ff_ffff);
        systick.clear_current();
        systick.enable_counter();
        Instructions(0)
    }

    /// The counter that was started before.
    #[allow(dead_code, reason = "for two cores")]
    pub const fn running() -> Self {
        Instructions(0)
    }

    /// Begins an interval of at most 500 million instructions.
    pub fn start(&mut self) {
        self.0 = cortex_m::peripheral::SYST::get_current();
    }

    /// Instructions since then, to the tick.
    pub fn elapsed(&self) -> u32 {
        let ticks = self.0.wrapping_sub(cortex_m::peripheral::SYST::get_current()) & 0x00ff_ffff;
        let (numerator, denominator) = Self::TICK;
        ticks * numerator / denominator
    }
}

#[cfg(target_arch = "riscv32")]
impl Instructions {
    /// The counter always runs.
    pub fn new() -> Self {
        Instructions(0)
    }

    /// The counter always runs.
    #[allow(dead_code, reason = "for two cores")]
    pub const fn running() -> Self {
        Instructions(0)
    }

    /// Begins an interval of at most 2^32 instructions.
    pub fn start(&mut self) {
        self.0 = riscv::register::minstret::read() as u32;
    }

    /// Instructions since then.
    pub fn elapsed(&self) -> u32 {
        (riscv::register::minstret::read() as u32).wrapping_sub(self.0)
    }
}
