//! Searches for the scales of groups, many groups side by side.
//!
//! A few scales near the one that just covers the group's range are tried; for each, the quants
//! follow by rounding, and from the quants the scale (and min) of least squares. The best is kept.
//! Source of the searches, of their weights and of the order of every sum: ggml's encoders.

use super::lanes::{Lanes, nearest};

/// Below this magnitude a group is taken for zeros where it has a scale only.
pub(super) const NOTHING: f32 = 1e-15;

/// `x = scale * (q - most)`, `q` in `0 .. 2 * most`.
pub(super) struct Symmetric<const N: usize, const G: usize> {
    /// Zero for a group of zeros.
    pub(super) scale: Lanes<G>,
    /// Of a group of zeros, zeros: `-most`.
    pub(super) quants: [Lanes<G>; N],
}

/// The value of largest magnitude, the first of equals.
pub(super) fn largest<const N: usize, const G: usize>(x: &[Lanes<G>; N]) -> Lanes<G> {
    x.iter().fold(Lanes::ZERO, |m, &x| m.zip(x, |m, x| if x.abs() > m.abs() { x } else { m }))
}

/// The least squares of the weighted errors. The scales tried are those that put the value of
/// largest magnitude at `-most` (first), then at 0.1 to 0.9 quants beside it.
pub(super) fn symmetric<const N: usize, const G: usize>(
    most: i32,
    x: &[Lanes<G>; N],
    weights: &[Lanes<G>; N],
) -> Symmetric<N, G> {
    let largest = largest(x);
    let quant = |inverse: Lanes<G>, x: Lanes<G>| {
        (inverse * x).map(|q| nearest(q).max(-most).min(most - 1) as f32)
    };
    let (mut scale, mut inverse, mut best) = (Lanes::ZERO, Lanes::ZERO, Lanes::ZERO);
    for step in core::iter::once(0).chain((-9..=9).filter(|&step| step != 0)) {
        let end = -(most as f32 + 0.1 * step as f32);
        let tried = largest.map(|m| end / m);
        let (mut xq, mut qq) = (Lanes::ZERO, Lanes::ZERO);
        for (&x, &w) in x.iter().zip(weights) {
            let q = quant(tried, x);
            xq = xq + w * x * q;
            qq = qq + w * q * q;
        }
        // The first is kept anyway; the others must reduce the error, `best` being what the
        // scale explains of the sum of squares.
        let better = match step {
            0 => [true; G],
            _ => {
                let gains = (xq * xq).test(best * qq, |a, b| a > b);
                both(gains, qq.test(Lanes::ZERO, |a, b| a > b))
            }
        };
        let fit = xq.zip(qq, |xq, qq| if qq == 0.0 { 0.0 } else { xq / qq });
        scale.replace(better, fit);
        best.replace(better, fit * xq);
        inverse.replace(better, tried);
    }
    let nothing = largest.test(Lanes::ZERO, |m, _| m.abs() < NOTHING);
    scale.replace(nothing, Lanes::ZERO);
    let quants = x.map(|x| {
        let mut q = quant(inverse, x).map(|q| q + most as f32);
        q.replace(nothing, Lanes::ZERO);
        q
    });
    Symmetric { scale, quants }
}

/// As [`symmetric`], with weights `x^2` and another search: from the first scale on, each quant in
/// turn takes the value that is best with all the others, five times over.
pub(super) fn one_by_one<const N: usize, const G: usize>(
    most: i32,
    x: &[Lanes<G>; N],
) -> Symmetric<N, G> {
    let largest = largest(x);
    let quant = |q: f32| nearest(q).max(-most).min(most - 1) as f32;
    let inverse = largest.map(|m| -(most as f32) / m);
    let mut quants = x.map(|x| (inverse * x).map(quant));
    let (mut xq, mut qq) = (Lanes::ZERO, Lanes::ZERO);
    for (&x, &q) in x.iter().zip(&quants) {
        let w = x * x;
        xq = xq + w * x * q;
        qq = qq + w * q * q;
    }
    for _ in 0..5 {
        for (&x, q) in x.iter().zip(&mut quants) {
            let w = x * x;
            let (rest_xq, rest_qq) = (xq - w * x * *q, qq - w * *q * *q);
            let tried = (x * rest_qq / rest_xq).map(quant);
            let (new_xq, new_qq) = (rest_xq + w * x * tried, rest_qq + w * tried * tried);
            let gains = (new_xq * new_xq * qq).test(xq * xq * new_qq, |a, b| a > b);
            let better = both(gains, rest_xq.test(new_qq, |rest, qq| rest > 0.0 && qq > 0.0));
            let better = both(better, tried.test(*q, |a, b| a != b));
            q.replace(better, tried);
            xq.replace(better, new_xq);
            qq.replace(better, new_qq);
        }
    }
    let mut scale = xq.zip(qq, |xq, qq| if qq > 0.0 { xq / qq } else { 0.0 });
    let nothing = largest.test(Lanes::ZERO, |m, _| m.abs() < NOTHING);
    scale.replace(nothing, Lanes::ZERO);
    for q in &mut quants {
        *q = q.map(|q| q + most as f32);
        q.replace(nothing, Lanes::ZERO);
    }
    Symmetric { scale, quants }
}

/// Which scales are tried for `x = scale * q - min`, `q` in `0 ..= most`: those that put the group's
/// range at `most` quants (first), then at `most + first` and on, `step` quants apart.
pub(super) struct Search {
    pub(super) most: i32,
    pub(super) first: f32,
    pub(super) step: f32,
    pub(super) steps: i32,
    /// Errors count by their magnitude instead of their square.
    pub(super) absolute: bool,
}

/// The search with the weights of an importance matrix.
pub(super) const WEIGHTED: Search =
    Search { most: 0, first: -0.9, step: 0.05, steps: 36, absolute: false };

impl Search {
    /// The same for quants up to `most`.
    pub(super) const fn to(self, most: i32) -> Self {
        Search { most, ..self }
    }
}

/// What was found for each group.
pub(super) struct Affine<const N: usize, const G: usize> {
    pub(super) scale: Lanes<G>,
    pub(super) min: Lanes<G>,
    pub(super) quants: [Lanes<G>; N],
}

/// Scale and min of each group with the least sum of weighted errors.
pub(super) fn affine<const N: usize, const G: usize>(
    search: &Search,
    x: &[Lanes<G>; N],
    weights: &[Lanes<G>; N],
) -> Affine<N, G> {
    let Search { most, first, step: apart, steps, absolute } = *search;
    let (mut w, mut wx) = (Lanes::ZERO, Lanes::ZERO);
    let first_of_all = x.first().copied().unwrap_or(Lanes::ZERO);
    let (mut low, mut high) = (first_of_all, first_of_all);
    for (&x, &weight) in x.iter().zip(weights) {
        low = low.zip(x, |low, x| if x < low { x } else { low });
        high = high.zip(x, |high, x| if x > high { x } else { high });
        w = w + weight;
        wx = wx + weight * x;
    }
    // A min above zero is taken for zero.
    let low = low.map(|low| if low > 0.0 { 0.0 } else { low });
    let quantize = |inverse: Lanes<G>, min: Lanes<G>, quants: &mut [Lanes<G>; N]| {
        for (q, &x) in quants.iter_mut().zip(x) {
            // Not `clamp`, whose check of the bounds may survive as a panic.
            *q = (inverse * (x - min)).map(|q| nearest(q).max(0).min(most) as f32);
        }
    };
    let error = |scale: Lanes<G>, min: Lanes<G>, quants: &[Lanes<G>; N]| {
        let mut sum = Lanes::ZERO;
        for ((&x, &q), &w) in x.iter().zip(quants).zip(weights) {
            let e = scale * q + min - x;
            sum = sum + w * if absolute { e.map(f32::abs) } else { e * e };
        }
        sum
    };

    let mut quants = [Lanes::ZERO; N];
    let mut inverse = (high - low).map(|range| most as f32 / range);
    let mut scale = inverse.map(|inverse| 1.0 / inverse);
    let (mut min, mut lowest) = (low, low);
    quantize(inverse, min, &mut quants);
    let mut least = error(scale, min, &quants);
    for step in 0..=steps {
        let end = first + apart * step as f32 + most as f32;
        // From the best min so far: each step builds on those before.
        let tried = (high - min).map(|range| end / range);
        quantize(tried, min, &mut quants);
        let (mut q1, mut qq, mut xq) = (Lanes::ZERO, Lanes::ZERO, Lanes::ZERO);
        for ((&x, &q), &w) in x.iter().zip(&quants).zip(weights) {
            q1 = q1 + w * q;
            qq = qq + w * q * q;
            xq = xq + w * q * x;
        }
        let determinant = w * qq - q1 * q1;
        let mut fit = (w * xq - wx * q1) / determinant;
        let mut fit_min = (qq * wx - q1 * xq) / determinant;
        let above = fit_min.test(Lanes::ZERO, |min, _| min > 0.0);
        fit.replace(above, xq / qq);
        fit_min.replace(above, Lanes::ZERO);
        let tried_error = error(fit, fit_min, &quants);
        let better = tried_error.test(least, |a, b| a < b);
        let better = both(better, determinant.test(Lanes::ZERO, |a, _| a > 0.0));
        scale.replace(better, fit);
        lowest.replace(better, min);
        min.replace(better, fit_min);
        inverse.replace(better, tried);
        least.replace(better, tried_error);
    }
    // Constant groups have nothing to scale.
    let constant = high.test(low, |high, low| high == low);
    scale.replace(constant, Lanes::ZERO);
    min.replace(constant, low);
    inverse.replace(constant, Lanes::ZERO);
    quantize(inverse, lowest, &mut quants);
    Affine { scale, min: min.map(|min| -min), quants }
}

pub(super) fn both<const G: usize>(mut a: [bool; G], b: [bool; G]) -> [bool; G] {
    a.iter_mut().zip(b).for_each(|(a, b)| *a &= b);
    a
}

/// Scales (or mins) as whole numbers in `0 ..= most`, and the scale of these, with the least squares
/// of the weighted errors. After a few scales near the one that just covers them have been tried, each
/// number in turn takes the value that is best with all the others, as in [`one_by_one`].
pub(super) fn whole<const N: usize>(most: i32, x: &[f32; N], weights: &[f32; N]) -> (f32, [u8; N]) {
    let largest = x.iter().fold(0.0, |m, &v| if m > v { m } else { v });
    if largest < NOTHING {
        return (0.0, [0; N]);
    }
    let error = |inverse: f32, quant: &dyn Fn(f32) -> f32| {
        let scale = 1.0 / inverse;
        x.iter().zip(weights).fold(0.0, |sum, (&x, w)| {
            let e = x - scale * quant(inverse * x);
            sum + w * e * e
        })
    };
    let capped = |q: f32| nearest(q).min(most);
    let mut inverse = most as f32 / largest;
    // A number below zero, which only rounding can make, wraps.
    let mut least = error(inverse, &|q| f32::from(nearest(q) as u8));
    for step in (-4..=4).filter(|&step| step != 0) {
        let tried = (0.1 * step as f32 + most as f32) / largest;
        let error = error(tried, &|q| capped(q) as f32);
        if error < least {
            (least, inverse) = (error, tried);
        }
    }
    let mut quants = [0; N];
    let (mut xq, mut qq) = (0.0, 0.0);
    for ((q, &x), w) in quants.iter_mut().zip(x).zip(weights) {
        let whole = capped(inverse * x);
        *q = whole as u8;
        xq += w * x * whole as f32;
        qq += w * whole as f32 * whole as f32;
    }
    for _ in 0..5 {
        for ((q, &x), w) in quants.iter_mut().zip(x).zip(weights) {
            let before = f32::from(*q);
            let (rest_xq, rest_qq) = (xq - w * x * before, qq - w * before * before);
            if !(rest_xq > 0.0 && rest_qq > 0.0) {
                continue;
            }
            let tried = capped(x * rest_qq / rest_xq);
            let number = tried as f32;
            let (new_xq, new_qq) = (rest_xq + w * x * number, rest_qq + w * number * number);
            if tried != i32::from(*q) && new_xq * new_xq * qq > xq * xq * new_qq {
                (*q, xq, qq) = (tried as u8, new_xq, new_qq);
            }
        }
    }
    (if qq > 0.0 { xq / qq } else { 0.0 }, quants)
}
