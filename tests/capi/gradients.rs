//! The C functions on gradients: the Rust functions' bits, and a status for every bad input.

use std::ptr::{null, null_mut};

use half::{bf16, f16};
use xielu::activation::{Differentiable, Element, Form, Xiprelu};
use xielu::capi::*;
use xielu::{Backend, RawXielu};

use crate::support::{off, zeroed};

const RAW: xielu_raw = xielu_raw { alpha_p: 0.3, alpha_n: -0.7, beta: 0.5, eps: -1e-6 };
const XIELU: xielu_backward_options =
    xielu_backward_options { raw: RAW, kind: XIELU_ACTIVATION_XIELU, parallel: 0 };

/// What a C program calls to differentiate.
type Differentiate<T> = unsafe extern "C" fn(
    *const xielu_backward_options,
    *const T,
    *const T,
    *mut T,
    usize,
    *mut xielu_alpha_gradients,
) -> Status;

/// Values of both signs around 0, and on both sides of eps; more than one tile.
fn values() -> Vec<f32> {
    let steps = (-4000..4000).map(|i| i as f32 * 0.003);
    steps.chain([0.0, -0.0, -5e-7, -2e-6]).collect()
}

/// The C function gives the bits of the Rust one, on one thread and on all.
fn same_as_rust<T: Element + PartialEq + std::fmt::Debug, C>(
    backward: Differentiate<C>,
    narrow: impl Fn(f32) -> T,
) {
    let x: Vec<T> = values().into_iter().map(&narrow).collect();
    let dy: Vec<T> = values().into_iter().rev().map(|v| narrow(0.1 * v)).collect();
    let RawParts { raw, ideal } = RawParts::new();
    let cases = [
        (XIELU, Some(Form::Clamped)),
        (xielu_backward_options { raw: ideal, ..XIELU }, Some(Form::Ideal)),
        (xielu_backward_options { kind: XIELU_ACTIVATION_XIPRELU, ..XIELU }, None),
    ];
    for (options, form) in cases {
        let (backend, mut expected) = (Backend::default(), x.clone());
        let sums = match form {
            Some(form) => raw.freeze(form).backward(&backend, &x, &dy, &mut expected).unwrap(),
            None => Xiprelu::freeze(&raw).backward(&backend, &x, &dy, &mut expected).unwrap(),
        };
        for parallel in 0..=u32::from(cfg!(feature = "rayon")) {
            let options = xielu_backward_options { parallel, ..options };
            let mut dx = x.clone();
            let mut alphas = zeroed::<xielu_alpha_gradients>();
            let (from, n) = ([&x, &dy].map(|v| v.as_ptr().cast()), x.len());
            // SAFETY: `C` is the C type of `T`; everything is live.
            let status = unsafe {
                backward(&options, from[0], from[1], dx.as_mut_ptr().cast(), n, &mut alphas)
            };
            assert_eq!(status, Status::Ok);
            assert_eq!([alphas.draw_p, alphas.draw_n], [sums.draw_p, sums.draw_n]);
            assert!(alphas.draw_p != 0.0 && alphas.draw_n != 0.0);
            assert_eq!(dx, expected);
        }
    }
}

/// The scalars as Rust has them, and as C names the ideal function.
struct RawParts {
    raw: RawXielu,
    ideal: xielu_raw,
}

impl RawParts {
    fn new() -> Self {
        let xielu_raw { alpha_p, alpha_n, beta, eps } = RAW;
        RawParts {
            raw: RawXielu { alpha_p, alpha_n, beta, eps },
            ideal: xielu_raw { eps: 0.0, ..RAW },
        }
    }
}

#[test]
fn gradients_have_rusts_bits() {
    same_as_rust(xielu_backward_f32, |v| v);
    same_as_rust(xielu_backward_bf16, bf16::from_f32);
    same_as_rust(xielu_backward_f16, f16::from_f32);
}

/// Every way the arguments can be wrong.
fn bad_arguments<C: Copy + PartialEq + std::fmt::Debug>(backward: Differentiate<C>, one: C) {
    let mut data = [one; 48];
    let x = data.as_mut_ptr();
    let (dy, dx) = (x.wrapping_add(16), x.wrapping_add(32));
    let mut sums = zeroed::<xielu_alpha_gradients>();
    let alphas: *mut xielu_alpha_gradients = &mut sums;
    let f = &XIELU;
    // SAFETY: the good pointers point to 16 values each; the others are refused.
    unsafe {
        assert_eq!(backward(null(), x, dy, dx, 16, alphas), Status::Null);
        assert_eq!(backward(off(f), x, dy, dx, 16, alphas), Status::Misaligned);
        assert_eq!(backward(f, null(), dy, dx, 16, alphas), Status::Null);
        assert_eq!(backward(f, x, null(), dx, 16, alphas), Status::Null);
        assert_eq!(backward(f, x, dy, null_mut(), 16, alphas), Status::Null);
        assert_eq!(backward(f, x, dy, dx, 16, null_mut()), Status::Null);
        assert_eq!(backward(f, off(x), dy, dx, 15, alphas), Status::Misaligned);
        assert_eq!(backward(f, x, off(dy), dx, 15, alphas), Status::Misaligned);
        assert_eq!(backward(f, x, dy, off(dx), 15, alphas), Status::Misaligned);
        assert_eq!(backward(f, x, dy, dx, 16, off(alphas)), Status::Misaligned);
        assert_eq!(backward(f, x, dy, x, 16, alphas), Status::Overlap);
        assert_eq!(backward(f, x, dy, dy.wrapping_add(1), 15, alphas), Status::Overlap);
        assert_eq!(backward(f, x, dy, alphas.cast(), 1, alphas), Status::Overlap);
        assert_eq!(backward(f, x, dy, dx, usize::MAX, alphas), Status::Short);
        for kind in [0, XIELU_ACTIVATION_RELU2, XIELU_ACTIVATION_SILU, u32::MAX] {
            let unknown = xielu_backward_options { kind, ..XIELU };
            assert_eq!(backward(&unknown, x, dy, dx, 16, alphas), Status::Option);
        }
        let nan = xielu_raw { alpha_n: f32::NAN, ..RAW };
        let positive = xielu_raw { eps: 1e-6, ..RAW };
        for raw in [nan, positive] {
            let bad = xielu_backward_options { raw, ..XIELU };
            assert_eq!(backward(&bad, x, dy, dx, 16, alphas), Status::Parameter);
        }
        #[cfg(not(feature = "rayon"))]
        {
            let threads = xielu_backward_options { parallel: 1, ..XIELU };
            assert_eq!(backward(&threads, x, dy, dx, 16, alphas), Status::Option);
        }
    }
    assert_eq!((data, sums), ([one; 48], zeroed()), "nothing is written");
    // SAFETY: no elements are read; `sums` is live.
    let status = unsafe { backward(f, null(), null(), null_mut(), 0, &mut sums) };
    assert_eq!((status, sums), (Status::Ok, zeroed()));
}

#[test]
fn bad_arguments_are_refused() {
    bad_arguments(xielu_backward_f32, 1.0);
    bad_arguments(xielu_backward_bf16, 0x3f80);
    bad_arguments(xielu_backward_f16, 0x3c00);
}
