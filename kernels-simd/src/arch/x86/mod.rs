//! Kernels for x86-64.

pub(crate) mod amx;
pub(crate) mod avx2;
pub(crate) mod avx512;
pub(crate) mod avx512_vnni;
pub(crate) mod avx_vnni;
pub(crate) mod detect;

use crate::generic::prefetch::prefetch_bytes;

/// How far ahead the weights of a lone token are prefetched, in bytes.
const AHEAD: usize = 4096;

/// Prefetches the weights `ahead` bytes after these.
#[inline(always)]
fn prefetch<C>(chunk: &C, ahead: usize) {
    prefetch_bytes(core::ptr::from_ref(chunk).cast::<i8>().wrapping_add(ahead), size_of::<C>());
}
