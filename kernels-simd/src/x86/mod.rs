//! Kernels for x86-64.

pub(crate) mod amx;
pub(crate) mod avx2;
pub(crate) mod avx512;
pub(crate) mod avx512_vnni;
pub(crate) mod avx_vnni;
pub(crate) mod detect;

/// Asks for the weights some way on, row after row, into the second cache: it can wait for more
/// lines at once than the first, and one core must keep many on their way to use the memory.
#[inline(always)]
fn prefetch<C>(chunk: &C) {
    use core::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
    const AHEAD: usize = 4096;
    const LINE: usize = 64;
    let p = core::ptr::from_ref(chunk).cast::<i8>().wrapping_add(AHEAD);
    let mut offset = 0;
    while offset < size_of::<C>() {
        // SAFETY: a prefetch reads nothing and cannot fault, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(p.wrapping_add(offset)) };
        offset += LINE;
    }
}
