//! Gradients on slices: against 60 digits, against f64 on every 16-bit encoding, and the same bits
//! from every instruction set and any number of threads.

use half::{bf16, f16};
use serde_json::Value;
use xielu::activation::reference::{self, Gradients, Xielu, Xiprelu, sigmoid};
use xielu::activation::{AlphaGradients, Relu2, Swiglu};
use xielu::kernels::{AlphaSums, Kernels, LengthError};
use xielu::{Backend, Executor, RawXielu};
use xielu_testing::kernels::every_kernel;

use crate::stored::{Stored, bits};

/// That many threads, new ones each time.
struct Threads(usize);

impl Executor for Threads {
    fn threads(&self) -> usize {
        self.0
    }
    fn join(&self, a: &mut (dyn FnMut() + Send), b: &mut (dyn FnMut() + Send)) {
        std::thread::scope(|scope| {
            scope.spawn(b);
            a();
        });
    }
}

const ONE: Threads = Threads(1);

/// A function with learned alphas, in its three forms.
#[derive(Clone, Copy, Debug)]
enum Form {
    Ideal,
    Eps,
    Xiprelu,
}

use Form::{Eps, Ideal};

impl Form {
    fn run<T: Stored>(
        self,
        backend: &Backend<'_>,
        raw: &RawXielu,
        x: &[T],
        dy: &[T],
    ) -> (Vec<T>, AlphaGradients) {
        let mut dx = vec![T::narrow(77.0); x.len()];
        let backward = match self {
            Form::Ideal => RawXielu::backward,
            Form::Eps => RawXielu::backward_with_eps,
            Form::Xiprelu => RawXielu::backward_xiprelu,
        };
        let gradients = backward(raw, backend, [x, dy], &mut dx).unwrap();
        (dx, gradients)
    }

    /// In f64, of one element.
    fn truth(self, raw: &RawXielu, x: f64) -> Gradients {
        match self {
            Form::Ideal => Xielu::new(raw).gradients(raw, x),
            Form::Eps => Xielu::with_eps(raw).gradients(raw, x),
            Form::Xiprelu => Xiprelu::new(raw).gradients(raw, x),
        }
    }

    fn forward(self, raw: &RawXielu, x: f64) -> f64 {
        match self {
            Form::Ideal => Xielu::new(raw).forward(x),
            Form::Eps => Xielu::with_eps(raw).forward(x),
            Form::Xiprelu => Xiprelu::new(raw).forward(x),
        }
    }
}

const FORMS: [Form; 3] = [Ideal, Eps, Form::Xiprelu];

fn raws() -> [RawXielu; 3] {
    let raw = |alpha_p, alpha_n| RawXielu { alpha_p, alpha_n, ..RawXielu::PAPER_INIT };
    [RawXielu::PAPER_INIT, raw(17.75, 5.78), raw(166.0, 40.75)]
}

/// `|found - truth|` in units of the spacing of f32 at `term`; 0 where both overflow.
fn ulp_error(found: f64, truth: f64, term: f64) -> f64 {
    if truth.is_nan() || truth.abs() > f32::MAX.into() {
        assert!(found.is_nan() == truth.is_nan() && !found.is_finite(), "{found} for {truth}");
        return 0.0;
    }
    let exponent = (term.abs().to_bits() >> 52) as i32 - 1023;
    (found - truth).abs() / f64::exp2(f64::from(exponent.clamp(-126, 127) - 23))
}

/// About nine in ten negative, as in trained layers, and what flows back to them.
fn layer<T: Stored>(n: usize) -> [Vec<T>; 2] {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut uniform = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    let x = (0..n).map(|_| T::narrow(4.0 * uniform() - 3.6)).collect();
    let dy = (0..n).map(|_| T::narrow(2.0 * uniform() - 1.1)).collect();
    [x, dy]
}

fn f64_bits(v: &Value) -> f64 {
    f64::from_bits(u64::from_str_radix(v.as_str().unwrap(), 16).unwrap())
}

fn f32_bits(v: &Value) -> f32 {
    f32::from_bits(u32::from_str_radix(v.as_str().unwrap(), 16).unwrap())
}

/// Beside the kernel's own error the alphas are rounded to f32: half an ulp more of each term.
#[test]
fn vectors_of_60_digits() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/xielu_vectors.json");
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let backend = Backend::default();
    let mut worst = [0.0f64; 3];
    for set in file["sets"].as_array().unwrap() {
        let [alpha_p, alpha_n] = ["raw_alpha_p", "raw_alpha_n"].map(|key| f32_bits(&set[key]));
        let raw = RawXielu { alpha_p, alpha_n, ..RawXielu::PAPER_INIT };
        for row in set["rows"].as_array().unwrap() {
            let x = [f32_bits(&row["x"])];
            for (form, name) in [(Ideal, "ideal"), (Eps, "eps")] {
                let (dx, found) = form.run(&backend, &raw, &x, &[1.0]);
                let slope = f64_bits(&row[name]["dy_dx"]);
                let p = f64_bits(&row["ideal"]["dy_draw_p"]);
                let n = f64_bits(&row[name]["dy_draw_n"]);
                let errors = [
                    ulp_error(dx[0].into(), slope, slope.abs().max(0.5)),
                    ulp_error(found.draw_p, p, p),
                    ulp_error(found.draw_n, n, n),
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
        for form in FORMS {
            let (dx, _) = form.run(&backend, &raw, &x, &ones);
            check(&(form, raw), &dx, &|x| form.truth(&raw, x).dx);
        }
    }
    let mut dx = ones.clone();
    Relu2.backward(&backend, [&x, &ones], &mut dx).unwrap();
    check(&Relu2, &dx, &reference::relu2_derivative);
    let mut d_up = ones.clone();
    Swiglu.backward(&backend, [&x, &ones, &ones], [&mut dx, &mut d_up]).unwrap();
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
    let loss = |form: Form, raw: &RawXielu| -> f64 {
        let terms = x.iter().zip(&dy);
        terms.map(|(&x, &dy)| f64::from(dy) * form.forward(raw, x.into())).sum()
    };
    for raw in raws().map(|raw| RawXielu { alpha_p: raw.alpha_p.floor(), alpha_n: 1.25, ..raw }) {
        for form in FORMS {
            const STEP: f32 = 1.0 / 256.0;
            let by = |change: fn(&mut RawXielu, f32)| {
                let at = |step: f32| {
                    let mut moved = raw;
                    change(&mut moved, step);
                    loss(form, &moved)
                };
                let wide = (at(2.0 * STEP) - at(-2.0 * STEP)) / (4.0 * f64::from(STEP));
                let narrow = (at(STEP) - at(-STEP)) / (2.0 * f64::from(STEP));
                (4.0 * narrow - wide) / 3.0
            };
            let (_, found) = form.run(&Backend::default(), &raw, &x, &dy);
            let by_p = by(|raw, step| raw.alpha_p += step);
            let by_n = by(|raw, step| raw.alpha_n += step);
            assert!((found.draw_p / by_p - 1.0).abs() < 1e-6, "{form:?} {found:?} {by_p}");
            assert!((found.draw_n / by_n - 1.0).abs() < 1e-6, "{form:?} {found:?} {by_n}");
        }
    }
}

/// Against sums in f64 of derivatives in f64: wrong by a few 2^-24 of the sum of magnitudes, over
/// far more elements than f32 counts well.
fn long_sums<T: Stored>(n: usize, forms: &[Form]) {
    let [x, dy] = layer::<T>(n);
    let raw = RawXielu::PAPER_INIT;
    for &form in forms {
        let (_, found) = form.run(&Backend::new(Kernels::detect(), &Threads(2)), &raw, &x, &dy);
        let (mut sums, mut magnitudes) = ([0.0; 2], [0.0; 2]);
        for (x, dy) in x.iter().zip(&dy) {
            let of_one = form.truth(&raw, x.wide().into());
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
            println!("{n} elements, {form:?}: sum {sum:e}, error {error:e} of the magnitudes");
            assert!(error < 2f64.powi(-24), "{form:?}: {found}, expected {sum}");
        }
    }
}

#[test]
fn long_sums_are_those_of_f64() {
    // Emulated machines take fewer.
    let n = std::env::var("XIELU_SUM_ELEMENTS").map_or(100_000_000, |n| n.parse().unwrap());
    long_sums::<f32>(n / 20 + 3, &FORMS);
    long_sums::<f16>(n / 20 + 3, &FORMS);
    long_sums::<bf16>(n, &[Ideal]);
}

/// A number whose neighbours in f32 are 2 apart, then ones that a running f32 sum would lose.
#[test]
fn small_terms_after_a_large_one() {
    let n = 3 * AlphaSums::TILE + 5;
    let mut x = vec![1.0f32; n];
    x[0] = 8192.0;
    let (_, found) = Ideal.run(&Backend::default(), &RawXielu::PAPER_INIT, &x, &vec![1.0; n]);
    let sum = 8192.0 * 8192.0 + (n - 1) as f64;
    let expected = sum * sigmoid(RawXielu::PAPER_INIT.alpha_p.into());
    // What shares a group with the large one is lost, 7 elements at most.
    assert!((found.draw_p - expected).abs() <= 8.0, "{} {expected}", found.draw_p);
}

/// All outputs of all functions.
fn everything<T: Stored>(backend: &Backend<'_>, x: &[T], dy: &[T]) -> Vec<(Vec<u32>, [u64; 2])> {
    let mut all = vec![];
    for raw in raws() {
        for form in FORMS {
            let (dx, found) = form.run(backend, &raw, x, dy);
            let [p, n] = [found.draw_p, found.draw_n];
            let [p, n] = [p, n].map(|sum| if sum.is_nan() { f64::NAN } else { sum }.to_bits());
            all.push((bits(&dx), [p, n]));
        }
    }
    let mut dx = vec![T::default(); x.len()];
    Relu2.backward(backend, [x, dy], &mut dx).unwrap();
    all.push((bits(&dx), [0; 2]));
    let up: Vec<T> = dy.iter().rev().copied().collect();
    let mut d_up = dx.clone();
    Swiglu.backward(backend, [x, &up, dy], [&mut dx, &mut d_up]).unwrap();
    all.push((bits(&dx), [0; 2]));
    all.push((bits(&d_up), [0; 2]));
    all
}

fn same_bits<T: Stored>() {
    let encodings: Vec<T> = (0..=u16::MAX).map(T::from_encoding).collect();
    let mut others = encodings.clone();
    others.rotate_left(12_345);
    let [x, dy] = layer::<T>(4 * AlphaSums::TILE + 1000);
    let mut cases = vec![(encodings, others), (x.clone(), dy.clone())];
    cases.extend((0..70).map(|n| (x[..n].to_vec(), dy[..n].to_vec())));
    for (x, dy) in cases {
        let expected = everything(&Backend::new(Kernels::scalar(), &ONE), &x, &dy);
        for kernels in every_kernel() {
            let found = everything(&Backend::new(kernels, &ONE), &x, &dy);
            assert!(found == expected, "{} elements with {kernels:?}", x.len());
        }
    }
}

#[test]
fn same_bits_on_every_instruction_set() {
    same_bits::<f32>();
    same_bits::<bf16>();
    same_bits::<f16>();
}

/// More tiles than are divided at a time, the last one not whole.
#[test]
fn same_bits_from_any_number_of_threads() {
    let [x, dy] = layer::<f32>(259 * AlphaSums::TILE + 77);
    let kernels = Kernels::detect();
    let expected = everything(&Backend::new(kernels, &ONE), &x, &dy);
    for threads in [2, 3, 8] {
        let found = everything(&Backend::new(kernels, &Threads(threads)), &x, &dy);
        assert!(found == expected, "{threads} threads");
    }
    #[cfg(feature = "rayon")]
    assert!(everything(&Backend::new(kernels, &xielu::Rayon), &x, &dy) == expected);
}

#[test]
fn nothing_beside_the_output_is_written() {
    let [x, dy] = layer::<f32>(200);
    for kernels in every_kernel() {
        let backend = Backend::new(kernels, &ONE);
        for offset in 0..17 {
            for n in [0, 1, 7, 16, 33, 100] {
                let range = offset..offset + n;
                let [x, dy] = [&x[range.clone()], &dy[range.clone()]];
                let mut to = vec![[77.0f32; 200]; 2];
                RawXielu::PAPER_INIT
                    .backward(&backend, [x, dy], &mut to[0][range.clone()])
                    .unwrap();
                let (a, b) = to.split_at_mut(1);
                let outputs = [&mut a[0][range.clone()], &mut b[0][range.clone()]];
                Swiglu.backward(&backend, [x, dy, dy], outputs).unwrap();
                for to in &to {
                    let outside = to[..offset].iter().chain(&to[range.end..]);
                    assert!(outside.into_iter().all(|&v| v == 77.0));
                    assert!(to[range.clone()].iter().all(|&v| v != 77.0));
                }
            }
        }
    }
}

#[test]
fn infinities_and_nan() {
    const INF: f32 = f32::INFINITY;
    let raw = RawXielu::PAPER_INIT;
    let backend = Backend::default();
    let (dx, found) = Ideal.run(&backend, &raw, &[-INF, -0.0, 0.0], &[1.0; 3]);
    assert!((dx[0] + 0.3).abs() < 1e-6 && dx[1..] == [0.5, 0.5]);
    assert_eq!([found.draw_p, found.draw_n], [0.0, f64::INFINITY]);
    let (dx, found) = Ideal.run(&backend, &raw, &[INF, 1.0], &[1.0, -INF]);
    assert_eq!(dx, [INF, -INF]);
    assert!(found.draw_p.is_nan() && found.draw_n.is_nan());
    for form in FORMS {
        // One NaN in x or dy, far from the start.
        let mut x = vec![-1.0f32; 20_000];
        x[15_000] = f32::from_bits(0xffa0_0001);
        let (dx, found) = form.run(&backend, &raw, &x, &vec![1.0; x.len()]);
        assert_eq!(dx[15_000].to_bits(), 0x7fc0_0000);
        assert!(found.draw_n.is_nan() && !dx[14_999].is_nan());
    }
    let mut dx = [0.0; 2];
    Relu2.backward(&backend, [&[f32::NAN, 1.0], &[1.0, f32::NAN]], &mut dx).unwrap();
    assert_eq!(dx.map(f32::to_bits), [0x7fc0_0000; 2]);
}

#[test]
fn lengths_that_differ_are_an_error() {
    let backend = Backend::default();
    let wrong = |expected, found| Err(LengthError { expected, found });
    let raw = RawXielu::PAPER_INIT;
    let mut dx = [7.0f32; 3];
    let [three, four] = [&[1.0f32; 3][..], &[1.0; 4]];
    assert_eq!(raw.backward(&backend, [four, four], &mut dx).map(|_| ()), wrong(4, 3));
    assert_eq!(raw.backward_with_eps(&backend, [three, four], &mut dx).map(|_| ()), wrong(3, 4));
    assert_eq!(raw.backward_xiprelu(&backend, [four, three], &mut dx).map(|_| ()), wrong(4, 3));
    assert_eq!(Relu2.backward(&backend, [three, four], &mut dx), wrong(3, 4));
    let mut d_up = [7.0f32; 4];
    let to = [&mut dx[..], &mut d_up[..]];
    assert_eq!(Swiglu.backward(&backend, [three, three, three], to), wrong(3, 4));
    assert_eq!((dx, d_up), ([7.0; 3], [7.0; 4]));
    let f = raw.freeze().into();
    let mut sums = [AlphaSums::default(); 2];
    let kernels = Kernels::detect();
    assert_eq!(kernels.backward_f32(&f, three, three, &mut dx, &mut sums), wrong(1, 2));
    let nothing = raw.backward::<f32>(&backend, [&[], &[]], &mut []);
    assert_eq!(nothing, Ok(AlphaGradients::default()));
}
