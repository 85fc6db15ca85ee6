//! f32 to Q8_0 in 128-bit vectors; the same bytes as [`crate::arch::scalar::quantize`].

use super::Vec128;
use crate::block::{BlockQ8_0, F16, GROUPS, InputBlock, QK};
use crate::generic::quantize::{NOT_FINITE, scale};

/// Vectors of f32 in a group.
const VECTORS: usize = QK / 4;

/// What quantizing needs besides [`Vec128`].
pub(crate) trait Quantize: Vec128 {
    /// Compared as integers, which orders magnitudes and puts NaN above infinity.
    fn largest_magnitude(self, v: [Self::F32; VECTORS]) -> f32;
    /// Scales, rounds halves away from zero and packs to bytes in order.
    fn round(self, v: [Self::F32; VECTORS], id: f32) -> [Self::Bytes; 2];
    /// The sum of 16 signed bytes.
    fn sum_bytes(self, v: Self::Bytes) -> i16;
    /// # Safety
    /// `p` is writable for 16 bytes; any alignment.
    unsafe fn store_to(self, v: Self::Bytes, p: *mut u8);
}

/// See [`crate::Kernels::quantize_q8_0`].
#[inline(always)]
pub(crate) fn quantize_q8_0<A: Quantize>(a: A, x: &[f32], blocks: &mut [BlockQ8_0]) {
    for (x, block) in x.as_chunks::<QK>().0.iter().zip(blocks) {
        let (d, quants) = quantize_group(a, x);
        if d.is_nan() {
            *block = NOT_FINITE;
            continue;
        }
        block.d = F16::from(d);
        store(a, quants, &mut block.qs);
    }
}

/// See [`crate::Kernels::quantize_input`].
#[inline(always)]
pub(crate) fn quantize_groups<A: Quantize>(
    a: A,
    x: &[f32],
    blocks: &mut [InputBlock],
    first: usize,
) {
    for (i, x) in x.as_chunks::<QK>().0.iter().enumerate() {
        let (block, group) = ((first + i) / GROUPS, (first + i) % GROUPS);
        let Some(block) = blocks.get_mut(block) else { return };
        let (d, quants) = quantize_group(a, x);
        if let Some(slot) = block.d.get_mut(group) {
            *slot = d;
        }
        if let Some(slot) = block.qs.as_chunks_mut().0.get_mut(group) {
            store(a, quants, slot);
        }
        if let Some(slot) = block.sums.as_chunks_mut().0.get_mut(group) {
            *slot = quants.map(|half| a.sum_bytes(half));
        }
    }
}

/// The scale and the 32 quants, which are 0 under a NaN scale.
#[inline(always)]
fn quantize_group<A: Quantize>(a: A, x: &[f32; QK]) -> (f32, [A::Bytes; 2]) {
    let mut v = [a.splat(0.0); VECTORS];
    for (v, x) in v.iter_mut().zip(x.as_chunks::<4>().0) {
        *v = a.load_f32(x);
    }
    let (d, id) = scale(a.largest_magnitude(v));
    if d.is_nan() {
        return (d, [a.splat_bytes(0); 2]);
    }
    (d, a.round(v, id))
}

#[inline(always)]
fn store<A: Quantize>(a: A, [low, high]: [A::Bytes; 2], qs: &mut [i8; QK]) {
    let p = qs.as_mut_ptr().cast::<u8>();
    // SAFETY: the array holds the 32 bytes that are written.
    unsafe {
        a.store_to(low, p);
        a.store_to(high, p.add(16));
    }
}
