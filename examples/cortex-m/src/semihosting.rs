//! Output and exit by semihosting: calls that a debugger or an emulator answers (Arm's
//! "Semihosting for AArch32 and AArch64", which RISC-V's takes over). Own code because the crate
//! that exists can panic.

use core::arch::asm;

const OPEN: usize = 0x01;
const WRITE: usize = 0x05;
const READ: usize = 0x06;
const SEEK: usize = 0x0a;
const FLEN: usize = 0x0c;
const EXIT: usize = 0x18;
const EXIT_EXTENDED: usize = 0x20;
/// C's mode "w".
const MODE_W: usize = 4;
/// C's mode "rb".
#[allow(dead_code, reason = "for files")]
const MODE_RB: usize = 1;
const APPLICATION_EXIT: usize = 0x2_0026;
/// The name of the console.
const CONSOLE: &[u8; 4] = b":tt\0";

/// # Safety
/// `argument` is what `operation` asks for.
unsafe fn call(operation: usize, argument: usize) -> usize {
    let mut result = operation;
    // SAFETY: a breakpoint for the host, which reads and writes only what `argument` points at.
    #[cfg(target_arch = "arm")]
    unsafe {
        asm!("bkpt #0xab", inout("r0") result, in("r1") argument, options(nostack));
    }
    // SAFETY: as above. The three instructions must be uncompressed and in one page.
    #[cfg(target_arch = "riscv32")]
    unsafe {
        asm!(
            ".balign 16", ".option push", ".option norvc",
            "slli x0, x0, 0x1f", "ebreak", "srai x0, x0, 7",
            ".option pop",
            inout("a0") result, in("a1") argument, options(nostack),
        );
    }
    result
}

/// The host's standard output.
#[derive(Clone, Copy)]
pub struct Output(usize);

impl Output {
    /// `None` if there is no host.
    pub fn open() -> Option<Self> {
        let argument = [CONSOLE.as_ptr().addr(), MODE_W, CONSOLE.len() - 1];
        // SAFETY: name, mode and the name's length.
        let handle = unsafe { call(OPEN, argument.as_ptr().expose_provenance()) };
        (handle != usize::MAX).then_some(Output(handle))
    }

    /// Writes what the host takes.
    pub fn write(self, bytes: &[u8]) {
        let argument = [self.0, bytes.as_ptr().expose_provenance(), bytes.len()];
        // SAFETY: handle, bytes and their number.
        unsafe { call(WRITE, argument.as_ptr().expose_provenance()) };
    }
}

/// A file of the host: to firmware, a device of blocks that is read by commands.
#[allow(dead_code, reason = "for streamed weights")]
#[derive(Clone, Copy)]
pub struct File(usize);

#[allow(dead_code, reason = "for streamed weights")]
impl File {
    /// Opens a file whose path ends in a 0.
    pub fn open(path: &'static [u8]) -> Option<Self> {
        let length = path.strip_suffix(b"\0")?.len();
        let argument = [path.as_ptr().expose_provenance(), MODE_RB, length];
        // SAFETY: path, mode and the path's length.
        let handle = unsafe { call(OPEN, argument.as_ptr().expose_provenance()) };
        (handle != usize::MAX).then_some(File(handle))
    }

    /// Its length.
    pub fn len(self) -> Option<usize> {
        let argument = [self.0];
        // SAFETY: the handle.
        let len = unsafe { call(FLEN, argument.as_ptr().expose_provenance()) };
        (len != usize::MAX).then_some(len)
    }

    /// Reads from `offset` on; how many bytes came.
    pub fn read(self, offset: usize, buffer: &mut [u8]) -> Option<usize> {
        let argument = [self.0, offset];
        // SAFETY: handle and offset.
        if unsafe { call(SEEK, argument.as_ptr().expose_provenance()) } != 0 {
            return None;
        }
        let argument = [self.0, buffer.as_mut_ptr().expose_provenance(), buffer.len()];
        // SAFETY: handle, and a buffer that the host writes to and its length.
        let left = unsafe { call(READ, argument.as_ptr().expose_provenance()) };
        buffer.len().checked_sub(left)
    }
}

/// Ends the emulation.
pub fn exit(good: bool) -> ! {
    let argument = [APPLICATION_EXIT, usize::from(!good)];
    // SAFETY: reason and status.
    unsafe { call(EXIT_EXTENDED, argument.as_ptr().expose_provenance()) };
    // A host that does not know it knows this.
    // SAFETY: the reason alone.
    unsafe { call(EXIT, APPLICATION_EXIT) };
    loop {
        core::hint::spin_loop();
    }
}
