//! Prefetch into the cache, where the compiler has an intrinsic for it.

/// Prefetches `count` weights from `first` on, those of the next panel in a row: a panel reads a
/// few lines of each row, too few for the processor to predict the next ones.
#[inline(always)]
pub(crate) fn prefetch<W>(w: &[W], first: usize, count: usize) {
    #[cfg(target_arch = "x86_64")]
    prefetch_bytes(w.as_ptr().wrapping_add(first).cast(), count * size_of::<W>());
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (w, first, count);
}

/// Prefetches `count` elements from `p` on, wherever that is.
#[inline(always)]
pub(crate) fn prefetch_elements<T>(p: *const T, count: usize) {
    #[cfg(target_arch = "x86_64")]
    prefetch_bytes(p.cast(), count * size_of::<T>());
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (p, count);
}

/// Prefetches so many bytes from `p` on into the second cache: it can wait for more lines at once
/// than the first, and one core must keep many on their way to use the memory.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn prefetch_bytes(p: *const i8, bytes: usize) {
    use core::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
    const LINE: usize = 64;
    let mut offset = 0;
    while offset < bytes {
        // SAFETY: a prefetch reads nothing and cannot fault, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(p.wrapping_add(offset)) };
        offset += LINE;
    }
}
