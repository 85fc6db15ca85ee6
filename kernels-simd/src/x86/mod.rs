//! Kernels for x86-64.

pub(crate) mod amx;
pub(crate) mod avx2;
pub(crate) mod avx512;
pub(crate) mod avx512_vnni;
pub(crate) mod avx_vnni;
pub(crate) mod detect;

/// How far ahead the weights of a lone token are asked for, in bytes.
const AHEAD: usize = 4096;

/// Asks for the weights `ahead` bytes behind these.
#[inline(always)]
fn prefetch<C>(chunk: &C, ahead: usize) {
    prefetch_bytes(core::ptr::from_ref(chunk).cast::<i8>().wrapping_add(ahead), size_of::<C>());
}

/// Asks for so many bytes from `p` on, into the second cache: it can wait for more lines at once
/// than the first, and one core must keep many on their way to use the memory.
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
