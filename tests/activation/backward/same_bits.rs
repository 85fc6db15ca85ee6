//! The same gradients from every instruction set and any number of threads; lengths, infinities.

use half::{bf16, f16};
use xielu::activation::{AlphaGradients, Differentiable, Form, Relu2, Swiglu};
use xielu::kernels::{AlphaSums, BackwardError, Kernels, LengthError};
use xielu::{Backend, Error, RawXielu};
use xielu_testing::kernels::every_kernel;

use super::{CLAMPED, FUNCTIONS, IDEAL, Learned, Threads, layer, raws};
use crate::stored::{Stored, bits};

const ONE: Threads = Threads(1);

/// All outputs of all functions.
fn everything<T: Stored>(backend: &Backend<'_>, x: &[T], dy: &[T]) -> Vec<(Vec<u32>, [u64; 2])> {
    let mut all = vec![];
    for raw in raws() {
        for f in FUNCTIONS {
            let (dx, found) = f.run(backend, &raw, x, dy);
            let [p, n] = [found.draw_p, found.draw_n];
            let [p, n] = [p, n].map(|sum| if sum.is_nan() { f64::NAN } else { sum }.to_bits());
            all.push((bits(&dx), [p, n]));
        }
    }
    let mut dx = vec![T::default(); x.len()];
    Relu2.backward(backend, x, dy, &mut dx).unwrap();
    all.push((bits(&dx), [0; 2]));
    let up: Vec<T> = dy.iter().rev().copied().collect();
    let mut d_up = dx.clone();
    Swiglu.backward(backend, [x, &up], dy, [&mut dx, &mut d_up]).unwrap();
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
                let raw = &RawXielu::PAPER_INIT;
                IDEAL.backward(&backend, raw, [x, dy], &mut to[0][range.clone()]).unwrap();
                let (a, b) = to.split_at_mut(1);
                let outputs = [&mut a[0][range.clone()], &mut b[0][range.clone()]];
                Swiglu.backward(&backend, [x, dy], dy, outputs).unwrap();
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
    let (dx, found) = IDEAL.run(&backend, &raw, &[-INF, -0.0, 0.0], &[1.0; 3]);
    assert!((dx[0] + 0.3).abs() < 1e-6 && dx[1..] == [0.5, 0.5]);
    assert_eq!([found.draw_p, found.draw_n], [0.0, f64::INFINITY]);
    let (dx, found) = IDEAL.run(&backend, &raw, &[INF, 1.0], &[1.0, -INF]);
    assert_eq!(dx, [INF, -INF]);
    assert!(found.draw_p.is_nan() && found.draw_n.is_nan());
    for f in FUNCTIONS {
        // One NaN in x or dy, far from the start.
        let mut x = vec![-1.0f32; 20_000];
        x[15_000] = f32::from_bits(0xffa0_0001);
        let (dx, found) = f.run(&backend, &raw, &x, &vec![1.0; x.len()]);
        assert_eq!(dx[15_000].to_bits(), 0x7fc0_0000);
        assert!(found.draw_n.is_nan() && !dx[14_999].is_nan());
    }
    let mut dx = [0.0; 2];
    Relu2.backward(&backend, &[f32::NAN, 1.0], &[1.0, f32::NAN], &mut dx).unwrap();
    assert_eq!(dx.map(f32::to_bits), [0x7fc0_0000; 2]);
}

#[test]
fn lengths_that_differ_are_an_error() {
    let backend = Backend::default();
    let wrong = |expected, found| Err(Error::Length(LengthError { expected, found }));
    let raw = &RawXielu::PAPER_INIT;
    let mut dx = [7.0f32; 3];
    let [three, four] = [&[1.0f32; 3][..], &[1.0; 4]];
    let mut learned = |f: Learned, x_dy| f.backward(&backend, raw, x_dy, &mut dx).map(|_| ());
    assert_eq!(learned(IDEAL, [four, four]), wrong(4, 3));
    assert_eq!(learned(CLAMPED, [three, four]), wrong(3, 4));
    assert_eq!(learned(Learned::Xiprelu, [four, three]), wrong(4, 3));
    assert_eq!(Relu2.backward(&backend, three, four, &mut dx), wrong(3, 4));
    let mut d_up = [7.0f32; 4];
    let to = [&mut dx[..], &mut d_up[..]];
    assert_eq!(Swiglu.backward(&backend, [three, three], three, to), wrong(3, 4));
    assert_eq!((dx, d_up), ([7.0; 3], [7.0; 4]));
    let f = raw.freeze(Form::Ideal).into();
    let mut sums = [AlphaSums::default(); 2];
    let kernels = Kernels::detect();
    let wrong = Err(BackwardError::Length(LengthError { expected: 1, found: 2 }));
    assert_eq!(kernels.backward(&f, three, three, &mut dx, &mut sums), wrong);
    let nothing = IDEAL.backward::<f32>(&backend, raw, [&[], &[]], &mut []);
    assert_eq!(nothing, Ok(AlphaGradients::default()));
}
