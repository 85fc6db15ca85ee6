//! Gradients against 60 digits, against f64 on every 16-bit encoding, and long sums.

use half::{bf16, f16};
use xielu::activation::reference::{self, sigmoid};
use xielu::activation::{Differentiable, Relu2, Swiglu};
use xielu::kernels::{AlphaSums, Kernels};
use xielu::{Backend, RawXielu};
use xielu_testing::ulp;
use xielu_testing::vectors::sets;

use super::{CLAMPED, FUNCTIONS, IDEAL, Learned, Threads, layer, raws};
use crate::stored::Stored;

/// Beside the kernel's own error the alphas are rounded to f32: half an ulp more of each term.
#[test]
fn vectors_of_60_digits() {
    let backend = Backend::default();
    let mut worst = [0.0f64; 3];
    for set in sets() {
        for (f, rows) in [(IDEAL, &set.ideal), (CLAMPED, &set.eps)] {
            for row in rows {
                let (dx, found) = f.run(&backend, &set.raw, &[row.x], &[1.0]);
                let [p, n] = row.draw;
                for (found, truth) in [(found.draw_p, p), (found.draw_n, n)] {
                    assert!(truth.abs() <= f32::MAX.into() || !found.is_finite(), "{found}");
                }
                let errors = [
                    ulp::error(dx[0].into(), row.dx, row.dx.abs().max(0.5)),
                    ulp::error(found.draw_p, p, p),
                    ulp::error(found.draw_n, n, n),
                ];
                worst.iter_mut().zip(errors).for_each(|(w, e)| *w = w.max(e));
            }
        }
    }
    println!("largest errors of dx, draw_p, draw_n in ulp: {worst:.2?}");
    assert!(worst.iter().zip([2.6, 2.0, 2.0]).all(|(&w, bound)| w <= bound && w > 0.0));
}

/// With dy = 1, dx is f'(x): its rounding in the storage type, or an encoding beside it where f32
/// could not tell.
fn every_encoding<T: Stored>(most: usize) {
    let x: Vec<T> = (0..=u16::MAX).map(T::from_encoding).collect();
    let ones = vec![T::narrow(1.0); x.len()];
    let mut misrounded = 0;
    let mut check = |what: &dyn std::fmt::Debug, dx: &[T], slope: &dyn Fn(f64) -> f64| {
        for (&x, dx) in x.iter().zip(dx) {
            let truth = T::narrow(slope(x.wide().into()) as f32).wide();
            if truth.is_nan() {
                assert!(dx.wide().is_nan(), "{what:?} at {x:?}: {dx:?}");
            } else if dx.wide() != truth {
                let scale = truth.abs().max(0.5);
                let error = (dx.wide() - truth).abs();
                assert!(error <= scale / 128.0, "{what:?} at {x:?}: {dx:?}, expected {truth}");
                misrounded += 1;
            }
        }
    };
    let backend = Backend::default();
    for raw in raws() {
        for f in FUNCTIONS {
            let (dx, _) = f.run(&backend, &raw, &x, &ones);
            check(&(f, raw), &dx, &|x| f.truth(&raw, x).dx);
        }
    }
    let mut dx = ones.clone();
    Relu2.backward(&backend, &x, &ones, &mut dx).unwrap();
    check(&Relu2, &dx, &reference::relu2_derivative);
    let mut d_up = ones.clone();
    Swiglu.backward(&backend, [&x, &ones], &ones, [&mut dx, &mut d_up]).unwrap();
    check(&"d_gate", &dx, &reference::silu_derivative);
    check(&"d_up", &d_up, &reference::silu);
    println!("{misrounded} of {} gradients are not the rounded truth", 12 * x.len());
    assert!(misrounded <= most);
}

#[test]
fn every_bf16() {
    every_encoding::<bf16>(300);
}

#[test]
fn every_f16() {
    every_encoding::<f16>(900);
}

/// The alphas' gradients are those of the loss `sum(dy * f(x))`, by differences in f64.
#[test]
fn differences_of_a_loss() {
    let [x, dy] = layer::<f32>(3000);
    let loss = |f: Learned, raw: &RawXielu| -> f64 {
        let terms = x.iter().zip(&dy);
        terms.map(|(&x, &dy)| f64::from(dy) * f.forward(raw, x.into())).sum()
    };
    for raw in raws().map(|raw| RawXielu { alpha_p: raw.alpha_p.floor(), alpha_n: 1.25, ..raw }) {
        for f in FUNCTIONS {
            const STEP: f32 = 1.0 / 256.0;
            let by = |change: fn(&mut RawXielu, f32)| {
                let at = |step: f32| {
                    let mut moved = raw;
                    change(&mut moved, step);
                    loss(f, &moved)
                };
                let wide = (at(2.0 * STEP) - at(-2.0 * STEP)) / (4.0 * f64::from(STEP));
                let narrow = (at(STEP) - at(-STEP)) / (2.0 * f64::from(STEP));
                (4.0 * narrow - wide) / 3.0
            };
            let (_, found) = f.run(&Backend::default(), &raw, &x, &dy);
            let by_p = by(|raw, step| raw.alpha_p += step);
            let by_n = by(|raw, step| raw.alpha_n += step);
            assert!((found.draw_p / by_p - 1.0).abs() < 1e-6, "{f:?} {found:?} {by_p}");
            assert!((found.draw_n / by_n - 1.0).abs() < 1e-6, "{f:?} {found:?} {by_n}");
        }
    }
}

/// Against sums in f64 of derivatives in f64: wrong by a few 2^-24 of the sum of magnitudes, over
/// far more elements than f32 counts well.
fn long_sums<T: Stored>(n: usize, functions: &[Learned]) {
    let [x, dy] = layer::<T>(n);
    let raw = RawXielu::PAPER_INIT;
    for &f in functions {
        let (_, found) = f.run(&Backend::new(Kernels::detect(), &Threads(2)), &raw, &x, &dy);
        let (mut sums, mut magnitudes) = ([0.0; 2], [0.0; 2]);
        for (x, dy) in x.iter().zip(&dy) {
            let of_one = f.truth(&raw, x.wide().into());
            for (i, slope) in [of_one.draw_p, of_one.draw_n].into_iter().enumerate() {
                let term = f64::from(dy.wide()) * slope;
                sums[i] += term;
                magnitudes[i] += term.abs();
            }
        }
        for (found, (sum, magnitude)) in
            [found.draw_p, found.draw_n].into_iter().zip(sums.into_iter().zip(magnitudes))
        {
            let error = (found - sum).abs() / magnitude;
            println!("{n} elements, {f:?}: sum {sum:e}, error {error:e} of the magnitudes");
            assert!(error < 2f64.powi(-24), "{f:?}: {found}, expected {sum}");
        }
    }
}

#[test]
fn long_sums_are_those_of_f64() {
    // Emulated machines take fewer.
    let n = std::env::var("XIELU_SUM_ELEMENTS").map_or(100_000_000, |n| n.parse().unwrap());
    long_sums::<f32>(n / 20 + 3, &FUNCTIONS);
    long_sums::<f16>(n / 20 + 3, &FUNCTIONS);
    long_sums::<bf16>(n, &[IDEAL]);
}

/// A number whose neighbours in f32 are 2 apart, then ones that a running f32 sum would lose.
#[test]
fn small_terms_after_a_large_one() {
    let n = 3 * AlphaSums::TILE + 5;
    let mut x = vec![1.0f32; n];
    x[0] = 8192.0;
    let (_, found) = IDEAL.run(&Backend::default(), &RawXielu::PAPER_INIT, &x, &vec![1.0; n]);
    let sum = 8192.0 * 8192.0 + (n - 1) as f64;
    let expected = sum * sigmoid(RawXielu::PAPER_INIT.alpha_p.into());
    // What shares a group with the large one is lost, 7 elements at most.
    assert!((found.draw_p - expected).abs() <= 8.0, "{} {expected}", found.draw_p);
}
