//! What the ops need of a number type, and sums that fill vectors.

use candle_core::WithDType;
use pulp::{Arch, NullaryFnOnce};

/// Partial sums of a reduction: whole vectors on every instruction set.
const LANES: usize = 16;

/// f32 or f64.
pub(super) trait Real: WithDType + Default {
    /// `e^self`, for arguments up to 0.
    fn exp_negative(self) -> Self;
    /// The larger one.
    fn larger(self, other: Self) -> Self;
}

impl Real for f32 {
    /// Relative error below 2e-7. Written without branches and table so that loops over it
    /// become vectors; the standard library's is a call.
    #[inline(always)]
    fn exp_negative(self) -> f32 {
        // Adding this rounds to an integer, which is then in the low bits.
        const ROUND: f32 = 12_582_912.0;
        const LN2_HIGH: f32 = 0.693_359_4;
        const LN2_LOW: f32 = -2.121_944_4e-4;
        // e^-87 is the smallest power whose exponent is that of a normal number.
        let x = if self > -87.0 { self } else { -87.0 };
        let shifted = x * core::f32::consts::LOG2_E + ROUND;
        let n = shifted - ROUND;
        let r = (x - n * LN2_HIGH) - n * LN2_LOW;
        // Taylor's series; |r| <= ln(2) / 2, so that r^8 / 8! is below 6e-9.
        let mut p = 1.0 / 5040.0;
        p = p * r + 1.0 / 720.0;
        p = p * r + 1.0 / 120.0;
        p = p * r + 1.0 / 24.0;
        p = p * r + 1.0 / 6.0;
        p = p * r + 0.5;
        p = p * r + 1.0;
        p = p * r + 1.0;
        let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
        // NaN stays NaN; what is below -87 becomes 0.
        let e = p * power;
        if self > -87.0 {
            e
        } else if self <= -87.0 {
            0.0
        } else {
            self
        }
    }

    #[inline(always)]
    fn larger(self, other: f32) -> f32 {
        if self > other { self } else { other }
    }
}

impl Real for f64 {
    #[inline(always)]
    fn exp_negative(self) -> f64 {
        self.exp()
    }

    #[inline(always)]
    fn larger(self, other: f64) -> f64 {
        if self > other { self } else { other }
    }
}

/// Runs `f` compiled for the widest vectors of this machine.
#[inline(always)]
pub(super) fn vectorized<F: NullaryFnOnce>(f: F) -> F::Output {
    Arch::new().dispatch(f)
}

/// Folds `term(a[i], b[i])` with `join`, in 16 interleaved parts that are joined in pairs.
#[inline(always)]
fn fold<T: Real>(
    a: &[T],
    b: &[T],
    start: T,
    term: impl Fn(T, T) -> T + Copy,
    join: impl Fn(T, T) -> T + Copy,
) -> T {
    let mut lanes = [start; LANES];
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for i in 0..LANES {
            lanes[i] = join(lanes[i], term(a[i], b[i]));
        }
    }
    for ((lane, a), b) in lanes.iter_mut().zip(a_rest).zip(b_rest) {
        *lane = join(*lane, term(*a, *b));
    }
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] = join(lanes[i], lanes[i + width]);
        }
        width /= 2;
    }
    lanes[0]
}

/// `sum of a[i] * b[i]`.
#[inline(always)]
pub(super) fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    fold(a, b, T::zero(), |a, b| a * b, |x, y| x + y)
}

/// `sum of a[i]`.
#[inline(always)]
pub(super) fn sum<T: Real>(a: &[T]) -> T {
    fold(a, a, T::zero(), |a, _| a, |x, y| x + y)
}

/// The largest element; a NaN may be passed over.
#[inline(always)]
pub(super) fn largest<T: Real>(a: &[T]) -> T {
    fold(a, a, T::from_f64(f64::NEG_INFINITY), |a, _| a, T::larger)
}

/// `out[i] = e^(scale * (x[i] - largest))`; the largest element gives 1.
#[inline(always)]
pub(super) fn exp_of_differences<T: Real>(x: &[T], largest: T, scale: T, out: &mut [T]) {
    for (out, x) in out.iter_mut().zip(x) {
        *out = ((*x - largest) * scale).exp_negative();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn exp_is_accurate_down_to_its_end() {
        let mut worst = 0.0f64;
        for i in 0..870_000 {
            let x = -(i as f32) * 1e-4;
            let truth = f64::from(x).exp();
            worst = worst.max((f64::from(x.exp_negative()) / truth - 1.0).abs());
        }
        assert!(worst < 2e-7, "{worst:e}");
        assert_eq!(0f32.exp_negative(), 1.0);
        assert_eq!((-100f32).exp_negative(), 0.0);
        assert_eq!(f32::NEG_INFINITY.exp_negative(), 0.0);
        assert!(f32::NAN.exp_negative().is_nan());
    }

    #[test]
    fn folds_take_every_element_once() {
        for n in [0, 1, 15, 16, 17, 40, 100] {
            let a: Vec<f64> = (0..n).map(|i| f64::from(i) - 3.0).collect();
            let b: Vec<f64> = (0..n).map(|i| f64::from(i * i)).collect();
            let products = a.iter().zip(&b).map(|(a, b)| a * b);
            assert_eq!(dot(&a, &b), products.sum::<f64>());
            assert_eq!(sum(&a), a.iter().sum::<f64>());
            assert_eq!(largest(&a), a.iter().fold(f64::NEG_INFINITY, |m, v| m.max(*v)));
        }
    }
}
