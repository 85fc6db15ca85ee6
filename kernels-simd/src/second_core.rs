//! Work handed from one core to another by a flag and a mailbox: no operating system, no interrupt,
//! no allocator.

use core::fmt;
use core::hint::spin_loop;
use core::mem::forget;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicPtr, AtomicU32};

/// Nobody serves. The value that a static has in memory that was cleared.
const AWAY: u32 = 0;
/// The second core waits for work.
const WAITING: u32 = 1;
/// A caller of `join` has the second core, and writes to the mailbox.
const CLAIMED: u32 = 2;
/// Work is in the mailbox, or is being done.
const POSTED: u32 = 3;
/// The work is done. Its caller sets it back to `WAITING`.
const DONE: u32 = 4;
/// The work panicked. Its caller sets it back to `AWAY`.
const LOST: u32 = 5;

/// Work as the caller of [`SecondCore::join`] has it.
type Work<'a> = &'a mut (dyn FnMut() + Send);

/// A second core that does what the first gives it: both share this, in a static.
///
/// The second core calls [`SecondCore::serve`], the first [`SecondCore::join`]. For targets whose
/// atomics can exchange (Cortex-M3 and later, RISC-V with the A extension, hosts, where the second
/// core is a thread); the cores see the same memory.
///
/// ```
/// use xielu_kernels_simd::SecondCore;
///
/// static CORES: SecondCore = SecondCore::new();
///
/// // There is no second core: the first does it all.
/// let (mut a, mut b) = (0, 0);
/// CORES.join(&mut || a += 1, &mut || b += 1);
/// assert_eq!((a, b), (1, 1));
/// ```
pub struct SecondCore {
    state: AtomicU32,
    /// A [`Work`] of the caller of `join` whose exchange made the state CLAIMED.
    mailbox: AtomicPtr<()>,
}

impl SecondCore {
    /// Nobody serves yet.
    pub const fn new() -> Self {
        SecondCore { state: AtomicU32::new(AWAY), mailbox: AtomicPtr::new(null_mut()) }
    }

    /// Whether a core serves.
    pub fn is_serving(&self) -> bool {
        self.state.load(Relaxed) != AWAY
    }

    /// Does what callers of [`SecondCore::join`] give it, until `idle`, which is called over and
    /// over while there is nothing to do, returns `false`. On Arm, `idle` may wait for an event
    /// (`wfe`): `join` sends one. Returns at once if another core serves already.
    pub fn serve(&self, mut idle: impl FnMut() -> bool) {
        if self.state.compare_exchange(AWAY, WAITING, AcqRel, Relaxed).is_err() {
            return;
        }
        loop {
            if self.state.load(Acquire) == POSTED {
                let lost = Lost(&self.state);
                let work = self.mailbox.load(Relaxed).cast::<Work<'_>>();
                // SAFETY: the state is POSTED (CHECK: the `if` above), so a caller of `join` has put
                // a pointer to its `Work` there. It does not return or use it before the state is
                // DONE or LOST (CHECK: its guard), which this core alone sets: one core serves
                // (CHECK: the exchange above). The work is `Send`.
                unsafe { (*work)() };
                forget(lost);
                self.state.store(DONE, Release);
            } else if !idle() && self.state.compare_exchange(WAITING, AWAY, AcqRel, Relaxed).is_ok()
            {
                return;
            }
        }
    }

    /// Calls `a` here and `b` on the second core, and returns when both are done. If no core serves,
    /// or it has work already, both are called here.
    ///
    /// # Panics
    /// If `b` panics on the second core, where panics unwind.
    pub fn join(&self, a: &mut dyn FnMut(), mut b: Work<'_>) {
        if self.state.compare_exchange(WAITING, CLAIMED, AcqRel, Relaxed).is_err() {
            a();
            b();
            return;
        }
        // The second core does not look before the state is POSTED.
        self.mailbox.store((&raw mut b).cast(), Relaxed);
        self.state.store(POSTED, Release);
        send_event();
        // Waits for the second core before `b` ends, panicking too.
        let end = End(self);
        a();
        forget(end);
        if !self.wait() {
            second_core_panicked();
        }
    }

    /// Waits until the second core is done; whether it did not panic.
    fn wait(&self) -> bool {
        loop {
            match self.state.load(Acquire) {
                DONE => {
                    self.state.store(WAITING, Release);
                    return true;
                }
                LOST => {
                    self.state.store(AWAY, Release);
                    return false;
                }
                _ => spin_loop(),
            }
        }
    }
}

impl Default for SecondCore {
    fn default() -> Self {
        SecondCore::new()
    }
}

impl fmt::Debug for SecondCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecondCore").field("state", &self.state).finish_non_exhaustive()
    }
}

/// Waits for the second core where the first one's work panics.
struct End<'a>(&'a SecondCore);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.wait();
    }
}

/// Says that the second core's work panicked.
struct Lost<'a>(&'a AtomicU32);

impl Drop for Lost<'_> {
    fn drop(&mut self) {
        self.0.store(LOST, Release);
    }
}

/// Nothing, where panics end the program.
const fn second_core_panicked() {
    #[cfg(panic = "unwind")]
    panic!("the second core's work panicked");
}

/// Wakes a core that waits for an event.
fn send_event() {
    #[cfg(all(target_arch = "arm", target_os = "none"))]
    // SAFETY: neither touches memory or registers; `dsb` lets what was stored arrive first.
    unsafe {
        core::arch::asm!("dsb", "sev", options(nostack, preserves_flags));
    }
}

// WebAssembly has no threads.
#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicBool, AtomicUsize};
    use std::thread;

    /// Runs `f` while a thread serves.
    fn served<R>(cores: &SecondCore, f: impl FnOnce() -> R) -> R {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let second = scope.spawn(|| {
                cores.serve(|| {
                    thread::yield_now();
                    !stop.load(Relaxed)
                });
            });
            while !cores.is_serving() {
                thread::yield_now();
            }
            let result = f();
            stop.store(true, Relaxed);
            let _ = second.join();
            result
        })
    }

    #[test]
    fn both_halves_are_done_once_and_by_two_threads() {
        let cores = SecondCore::new();
        let (mut a, mut b) = (0, 0);
        let rounds = if cfg!(miri) { 20 } else { 500 };
        served(&cores, || {
            let first = thread::current().id();
            for _ in 0..rounds {
                let mut second = None;
                cores.join(&mut || a += 1, &mut || {
                    b += 1;
                    second = Some(thread::current().id());
                });
                assert!(second.is_some_and(|second| second != first));
            }
        });
        assert_eq!((a, b), (rounds, rounds));
        assert!(!cores.is_serving());
        let here = thread::current().id();
        cores.join(&mut || a += 1, &mut || assert_eq!(thread::current().id(), here));
        assert_eq!(a, rounds + 1);
    }

    #[test]
    fn work_within_work_and_from_two_threads_is_done() {
        let cores = SecondCore::new();
        let done = AtomicUsize::new(0);
        let add = || {
            done.fetch_add(1, Relaxed);
        };
        let rounds = if cfg!(miri) { 10 } else { 100 };
        served(&cores, || {
            thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| {
                        for _ in 0..rounds {
                            let pair = || cores.join(&mut || add(), &mut || add());
                            cores.join(&mut || pair(), &mut || pair());
                        }
                    });
                }
            });
        });
        assert_eq!(done.into_inner(), 2 * rounds * 4);
    }

    #[test]
    fn a_panic_of_either_half_arrives_after_the_other_is_done() {
        let cores = SecondCore::new();
        let mut b = 0;
        served(&cores, || {
            let panics = catch_unwind(AssertUnwindSafe(|| {
                cores.join(&mut || panic!("the first half"), &mut || b += 1);
            }));
            assert!(panics.is_err());
        });
        assert_eq!(b, 1);
        let mut a = 0;
        served(&cores, || {
            let panics = catch_unwind(AssertUnwindSafe(|| {
                cores.join(&mut || a += 1, &mut || panic!("the second half"));
            }));
            assert!(panics.is_err());
        });
        assert_eq!(a, 1);
        assert!(!cores.is_serving());
    }
}
