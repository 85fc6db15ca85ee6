//! Groups side by side: one f32 of each, computed together.
//!
//! The encoders add the values of a group in one order, which a compiler may not change; over
//! groups side by side it can use vectors all the same.

use core::ops::{Add, Div, Mul, Sub};

/// One number of each of `G` groups.
#[derive(Clone, Copy)]
pub(super) struct Lanes<const G: usize>(pub(super) [f32; G]);

impl<const G: usize> Lanes<G> {
    pub(super) const ZERO: Self = Lanes([0.0; G]);

    #[inline(always)]
    pub(super) fn map(self, f: impl Fn(f32) -> f32) -> Self {
        Lanes(self.0.map(f))
    }

    #[inline(always)]
    pub(super) fn zip(mut self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(a, b)| *a = f(*a, b));
        self
    }

    /// `other` in the groups that `mask` names.
    #[inline(always)]
    pub(super) fn replace(&mut self, mask: [bool; G], other: Self) {
        for ((a, b), mask) in self.0.iter_mut().zip(other.0).zip(mask) {
            *a = if mask { b } else { *a };
        }
    }

    /// Where `f` holds of both numbers.
    #[inline(always)]
    pub(super) fn test(self, other: Self, f: impl Fn(f32, f32) -> bool) -> [bool; G] {
        let mut mask = [false; G];
        for ((mask, a), b) in mask.iter_mut().zip(self.0).zip(other.0) {
            *mask = f(a, b);
        }
        mask
    }
}

macro_rules! operator {
    ($name:ident, $method:ident, $op:tt) => {
        impl<const G: usize> $name for Lanes<G> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                self.zip(other, |a, b| a $op b)
            }
        }
    };
}

operator!(Add, add, +);
operator!(Sub, sub, -);
operator!(Mul, mul, *);
operator!(Div, div, /);

/// The nearest integer, ties to even, by the rounding of an addition: exact for `|x| < 2^22`.
/// Beyond that the low bits of a larger sum, and 0 for NaN, as in ggml.
#[inline(always)]
pub(super) fn nearest(x: f32) -> i32 {
    const MAGIC: f32 = 12_582_912.0; // 1.5 * 2^23
    ((x + MAGIC).to_bits() & 0x007f_ffff) as i32 - 0x0040_0000
}

/// Values in groups of `N`, to `[value][group]`.
pub(super) fn transpose<const N: usize, const G: usize>(x: &[f32]) -> [Lanes<G>; N] {
    let mut out = [Lanes::ZERO; N];
    for (g, group) in x.as_chunks::<N>().0.iter().enumerate() {
        for (out, &x) in out.iter_mut().zip(group) {
            if let Some(slot) = out.0.get_mut(g) {
                *slot = x;
            }
        }
    }
    out
}

/// The reverse of [`transpose`], of small whole numbers.
pub(super) fn untranspose<const N: usize, const G: usize, const LEN: usize>(
    x: &[Lanes<G>; N],
) -> [u8; LEN] {
    let mut out = [0; LEN];
    for (g, group) in out.as_chunks_mut::<N>().0.iter_mut().enumerate() {
        for (out, x) in group.iter_mut().zip(x) {
            *out = x.0.get(g).copied().unwrap_or(0.0) as u8;
        }
    }
    out
}
