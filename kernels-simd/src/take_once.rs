//! A value in a static that is taken once: how firmware without an allocator gets at memory that
//! lasts as long as the program.

use core::cell::UnsafeCell;
use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};

/// A value that the first caller of [`TakeOnce::take`] gets, for good.
///
/// A static of it is all zeros if the value is: then it takes no flash. For targets whose atomics
/// can exchange (Cortex-M3 and later, RISC-V with the A extension, hosts).
///
/// ```
/// use xielu_kernels_simd::TakeOnce;
///
/// static BUFFER: TakeOnce<[u8; 64]> = TakeOnce::new([0; 64]);
///
/// let buffer: &'static mut [u8; 64] = BUFFER.take().unwrap();
/// buffer[0] = 1;
/// assert!(BUFFER.take().is_none());
/// ```
pub struct TakeOnce<T> {
    taken: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: `take` gives the value to one caller only (CHECK: its exchange of `taken`), which may be
// in another thread or interrupt than the value was made in: that is `Send`.
unsafe impl<T: Send> Sync for TakeOnce<T> {}

impl<T> TakeOnce<T> {
    /// Holds `value`, not taken.
    pub const fn new(value: T) -> Self {
        TakeOnce { taken: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    /// The value, the first time; `None` ever after.
    #[expect(clippy::mut_from_ref, reason = "given once, as the exchange sees to")]
    pub fn take(&'static self) -> Option<&'static mut T> {
        if self.taken.swap(true, Ordering::AcqRel) {
            return None;
        }
        // SAFETY: the exchange above gives `false` to one caller in the value's life (CHECK: nothing
        // sets it back), so no other reference to the value exists or will.
        Some(unsafe { &mut *self.value.get() })
    }
}

impl<T> fmt::Debug for TakeOnce<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TakeOnce").field("taken", &self.taken).finish_non_exhaustive()
    }
}

// WebAssembly has no threads.
#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use super::*;
    use std::thread;
    use std::vec::Vec;

    #[test]
    fn one_of_many_threads_gets_it() {
        static VALUE: TakeOnce<u32> = TakeOnce::new(7);
        let takers: Vec<_> = (0..8).map(|_| thread::spawn(|| VALUE.take())).collect();
        let taken: Vec<_> = takers.into_iter().filter_map(|taker| taker.join().unwrap()).collect();
        assert_eq!(taken, [&7]);
        assert!(VALUE.take().is_none());
    }
}
