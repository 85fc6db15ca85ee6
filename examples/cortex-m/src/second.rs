//! Two cores: the second is started on a stack of its own, and serves. On a board that has one,
//! both halves of what is divided are done by it, and counted: what two cores would spare.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use xielu::kernels::Kernels;
use xielu::{Backend, Executor, TwoCores};

use crate::board::Instructions;

/// Bytes of the second core's stack.
const STACK_BYTES: usize = 12 * 1024;

#[repr(C, align(16))]
struct Stack(UnsafeCell<[u32; STACK_BYTES / 4]>);

// SAFETY: the second core's alone; what it never used stays 0.
unsafe impl Sync for Stack {}

static STACK: Stack = Stack(UnsafeCell::new([0; STACK_BYTES / 4]));

/// Bytes from the second core's stack's start to the lowest word that is not 0.
pub fn stack_high_water() -> usize {
    let words = STACK.0.get().cast::<u32>().cast_const();
    // SAFETY: the second core may write at the same time, which a volatile read of a word allows.
    let used = (0..STACK_BYTES / 4).find(|&at| unsafe { words.add(at).read_volatile() } != 0);
    used.map_or(0, |at| STACK_BYTES - 4 * at)
}

/// Two cores, or one that counts.
pub struct Pair {
    cores: TwoCores,
    joined: AtomicU32,
    spared: AtomicU32,
}

static PAIR: Pair =
    Pair { cores: TwoCores::new(), joined: AtomicU32::new(0), spared: AtomicU32::new(0) };

/// Starts the second core, where there is one.
pub fn start() -> &'static Pair {
    release();
    // It takes some instructions to begin.
    for _ in 0..1_000_000 {
        if PAIR.is_there() {
            break;
        }
        core::hint::spin_loop();
    }
    PAIR.reset();
    &PAIR
}

pub fn backend() -> Backend<'static> {
    Backend::new(Kernels::detect(), &PAIR)
}

impl Pair {
    /// Whether there are two cores.
    pub fn is_there(&self) -> bool {
        self.cores.is_serving()
    }

    /// Counts from here.
    pub fn reset(&self) {
        self.joined.store(0, Relaxed);
        self.spared.store(0, Relaxed);
    }

    /// How often work was divided, and the instructions of the smaller halves, which a second core
    /// does while the first does the larger ones.
    pub fn counted(&self) -> (u32, u32) {
        (self.joined.load(Relaxed), self.spared.load(Relaxed))
    }
}

impl Executor for Pair {
    fn threads(&self) -> usize {
        2
    }

    fn join(&self, a: &mut (dyn FnMut() + Send), b: &mut (dyn FnMut() + Send)) {
        self.joined.fetch_add(1, Relaxed);
        if self.is_there() {
            return self.cores.join(a, b);
        }
        let mut counter = Instructions::running();
        counter.start();
        a();
        let first = counter.elapsed();
        counter.start();
        b();
        let second = counter.elapsed();
        self.spared.fetch_add(first.min(second), Relaxed);
    }

    fn min_operations(&self) -> usize {
        self.cores.min_operations()
    }
}

/// Where the second core begins.
extern "C" fn second() -> ! {
    loop {
        PAIR.cores.serve(|| {
            #[cfg(target_arch = "arm")]
            cortex_m::asm::wfe();
            #[cfg(target_arch = "riscv32")]
            core::hint::spin_loop();
            true
        });
    }
}

/// The second Cortex-M33 of AN521 (Arm DAI 0521, "System control"): where it begins, and that it
/// need not wait.
#[cfg(target_arch = "arm")]
fn release() {
    /// A vector table's first two words.
    #[repr(C, align(128))]
    struct Vectors(*const Stack, extern "C" fn() -> !);
    // SAFETY: never written.
    unsafe impl Sync for Vectors {}
    static VECTORS: Vectors = Vectors((&raw const STACK).wrapping_add(1), second);
    const INITSVTOR1: *mut usize = core::ptr::without_provenance_mut(0x5002_1114);
    const CPUWAIT: *mut u32 = core::ptr::without_provenance_mut(0x5002_1118);

    if crate::board::NAME == "mps2-an521" {
        // SAFETY: registers of this board, which nothing else writes; the stack is the second
        // core's, and what it runs lasts as long as the program.
        unsafe {
            INITSVTOR1.write_volatile((&raw const VECTORS).expose_provenance());
            CPUWAIT.write_volatile(0);
        }
    }
}

/// The second hart of `virt` has waited in `_mp_hook` for its software interrupt to be pending.
#[cfg(target_arch = "riscv32")]
fn release() {
    const MSIP1: *mut u32 = core::ptr::without_provenance_mut(0x0200_0004);
    // SAFETY: a register of this board, which nothing else writes.
    unsafe { MSIP1.write_volatile(1) };
}

#[cfg(target_arch = "riscv32")]
core::arch::global_asm!(
    ".global _mp_hook",
    "_mp_hook:",
    "beqz a0, 2f",
    "li t0, 0x02000004",
    "1: lw t1, 0(t0)",
    "beqz t1, 1b",
    "la sp, {stack}",
    "li t0, {bytes}",
    "add sp, sp, t0",
    "j {second}",
    "2: li a0, 1",
    "ret",
    stack = sym STACK,
    bytes = const STACK_BYTES,
    second = sym second,
);
