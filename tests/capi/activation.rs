//! The C functions on parameters and arrays: the Rust functions' bits, and a status for every bad
//! input.

use std::ptr::{null, null_mut};

use half::{bf16, f16};
use xielu::activation::{Activation, Element, Elementwise, Form, Relu2, Silu, Swiglu, Xiprelu};
use xielu::capi::*;
use xielu::{Backend, RawXielu};

use crate::support::{off, zeroed};

const RAW: xielu_raw = xielu_raw { alpha_p: 0.3, alpha_n: -0.7, beta: 0.5, eps: -1e-6 };

fn raw() -> RawXielu {
    let xielu_raw { alpha_p, alpha_n, beta, eps } = RAW;
    RawXielu { alpha_p, alpha_n, beta, eps }
}

/// What a C program calls to freeze.
type Freeze = unsafe extern "C" fn(*const xielu_raw, *mut xielu_activation) -> Status;
/// What a C program calls to activate.
type Activate<T> = unsafe extern "C" fn(*const xielu_activation, *const T, *mut T, usize) -> Status;
/// What a C program calls for a gated activation.
type Gated<T> = unsafe extern "C" fn(*const T, *const T, *mut T, usize) -> Status;

fn frozen(freeze: Freeze) -> xielu_activation {
    let mut activation = zeroed();
    // SAFETY: both are live.
    assert_eq!(unsafe { freeze(&RAW, &mut activation) }, Status::Ok);
    activation
}

fn kind(kind: u32) -> xielu_activation {
    xielu_activation { kind, ..zeroed() }
}

#[test]
fn parameters_are_frozen_as_in_rust() {
    let mut init = zeroed::<xielu_raw>();
    // SAFETY: it is live.
    assert_eq!(unsafe { xielu_raw_init(&mut init) }, Status::Ok);
    assert_eq!(init.alpha_n, RawXielu::PAPER_INIT.alpha_n);

    let ideal = raw().freeze(Form::Ideal);
    let f = frozen(xielu_freeze);
    assert_eq!([f.alpha_p, f.alpha_n, f.beta, f.eps], [ideal.alpha_p(), ideal.alpha_n(), 0.5, 0.0]);
    let with_eps = frozen(xielu_freeze_with_eps);
    assert_eq!(with_eps, xielu_activation { eps: -1e-6, ..f });
    let xiprelu = Xiprelu::freeze(&raw());
    let f = frozen(xielu_freeze_xiprelu);
    assert_eq!(f.kind, XIELU_ACTIVATION_XIPRELU);
    assert_eq!([f.alpha_p, f.alpha_n, f.beta], [xiprelu.alpha_p(), xiprelu.alpha_n(), 0.5]);
}

#[test]
fn bad_parameters_are_refused() {
    // SAFETY: NULL and misaligned pointers are refused before they are used.
    unsafe {
        assert_eq!(xielu_raw_init(null_mut()), Status::Null);
        assert_eq!(xielu_raw_init(off(&RAW)), Status::Misaligned);
        for freeze in [xielu_freeze as Freeze, xielu_freeze_with_eps, xielu_freeze_xiprelu] {
            let mut out = zeroed::<xielu_activation>();
            assert_eq!(freeze(null(), &mut out), Status::Null);
            assert_eq!(freeze(&RAW, null_mut()), Status::Null);
            assert_eq!(freeze(off(&RAW), &mut out), Status::Misaligned);
            assert_eq!(freeze(&RAW, off(&out)), Status::Misaligned);
            for bad in [
                xielu_raw { alpha_p: f32::NAN, ..RAW },
                xielu_raw { alpha_n: f32::INFINITY, ..RAW },
                xielu_raw { eps: 1.0, ..RAW },
            ] {
                assert_eq!(freeze(&bad, &mut out), Status::Parameter);
            }
            assert_eq!(out, zeroed(), "nothing is written");
        }
    }
}

/// Values of every magnitude and sign, and those that are no numbers.
fn values() -> Vec<f32> {
    let steps = (-60..60).map(|i| i as f32 * 0.37);
    steps.chain([0.0, -0.0, 1e30, -1e30, f32::INFINITY, f32::NEG_INFINITY, f32::NAN]).collect()
}

/// The C function gives the bits of the Rust one, to another array and in place.
fn same_as_rust<T: Element, C>(
    activate: Activate<C>,
    x: &[T],
    bits: impl Fn(&T) -> u32,
    f: &xielu_activation,
    rust: Activation,
) {
    let mut expected = x.to_vec();
    rust.forward(&Backend::default(), x, &mut expected).unwrap();
    let expected: Vec<u32> = expected.iter().map(&bits).collect();
    let mut y = x.to_vec();
    // SAFETY: `C` is the C type of `T`; the arrays are live.
    let status = unsafe { activate(f, x.as_ptr().cast(), y.as_mut_ptr().cast(), x.len()) };
    assert_eq!((status, y.iter().map(&bits).collect()), (Status::Ok, expected.clone()));
    let mut y = x.to_vec();
    let p = y.as_mut_ptr().cast();
    // SAFETY: as above.
    assert_eq!(unsafe { activate(f, p, p, x.len()) }, Status::Ok);
    assert_eq!(y.iter().map(&bits).collect::<Vec<_>>(), expected);
}

#[test]
fn activations_give_rusts_bits() {
    let x = values();
    let x_bf16: Vec<bf16> = x.iter().copied().map(bf16::from_f32).collect();
    let x_f16: Vec<f16> = x.iter().copied().map(f16::from_f32).collect();
    for (f, rust) in [
        (frozen(xielu_freeze), raw().freeze(Form::Ideal).into()),
        (frozen(xielu_freeze_with_eps), raw().freeze(Form::Clamped).into()),
        (frozen(xielu_freeze_xiprelu), Xiprelu::freeze(&raw()).into()),
        (kind(XIELU_ACTIVATION_RELU2), Relu2.into()),
        (kind(XIELU_ACTIVATION_SILU), Silu.into()),
    ] {
        same_as_rust(xielu_activate_f32, &x, |v| v.to_bits(), &f, rust);
        same_as_rust(xielu_activate_bf16, &x_bf16, |v| v.to_bits().into(), &f, rust);
        same_as_rust(xielu_activate_f16, &x_f16, |v| v.to_bits().into(), &f, rust);
    }
}

/// Every way the arrays of an activation can be wrong.
fn bad_arrays<C: Copy>(activate: Activate<C>, one: C) {
    let f = frozen(xielu_freeze);
    let mut data = [one; 32];
    let x = data.as_mut_ptr();
    let y = x.wrapping_add(16);
    // SAFETY: the good pointers point to 32 and 16 values; the others are refused.
    unsafe {
        assert_eq!(activate(&f, x, y, 16), Status::Ok);
        assert_eq!(activate(&f, null(), null_mut(), 0), Status::Ok);
        assert_eq!(activate(null(), x, y, 16), Status::Null);
        assert_eq!(activate(off(&f), x, y, 16), Status::Misaligned);
        assert_eq!(activate(&f, null(), y, 16), Status::Null);
        assert_eq!(activate(&f, x, null_mut(), 16), Status::Null);
        assert_eq!(activate(&f, null(), null_mut(), 16), Status::Null);
        assert_eq!(activate(&f, off(x), y, 15), Status::Misaligned);
        assert_eq!(activate(&f, x, off(y), 15), Status::Misaligned);
        assert_eq!(activate(&f, x, y, 17), Status::Overlap);
        assert_eq!(activate(&f, y, x, 17), Status::Overlap);
        assert_eq!(activate(&f, x, x.wrapping_add(1), 8), Status::Overlap);
        assert_eq!(activate(&f, x, y, usize::MAX), Status::Short);
        assert_eq!(activate(&f, x, x, usize::MAX / 2), Status::Short);
        for unknown in [0, XIELU_ACTIVATION_SWIGLU, 99, u32::MAX] {
            assert_eq!(
                activate(&xielu_activation { kind: unknown, ..f }, x, y, 16),
                Status::Option
            );
        }
        let nan = xielu_activation { beta: f32::NAN, ..f };
        assert_eq!(activate(&nan, x, y, 16), Status::Parameter);
    }
}

#[test]
fn bad_arrays_are_refused() {
    bad_arrays(xielu_activate_f32, 1.0);
    bad_arrays(xielu_activate_bf16, 0x3f80);
    bad_arrays(xielu_activate_f16, 0x3c00);
}

/// As [`same_as_rust`], for the gated functions.
fn gated_as_rust<T: Element, C>(swiglu: Gated<C>, gate: &[T], bits: impl Fn(&T) -> u32) {
    let up: Vec<T> = gate.iter().rev().copied().collect();
    let mut expected = up.clone();
    Swiglu.forward(&Backend::default(), [gate, &up], &mut expected).unwrap();
    let expected: Vec<u32> = expected.iter().map(&bits).collect();
    let (g, n) = (gate.as_ptr().cast::<C>(), gate.len());
    let mut y = gate.to_vec();
    // SAFETY: `C` is the C type of `T`; the arrays are live.
    let status = unsafe { swiglu(g, up.as_ptr().cast(), y.as_mut_ptr().cast(), n) };
    assert_eq!((status, y.iter().map(&bits).collect()), (Status::Ok, expected.clone()));
    let mut y = up;
    let p = y.as_mut_ptr().cast();
    // SAFETY: as above.
    assert_eq!(unsafe { swiglu(g, p, p, n) }, Status::Ok);
    assert_eq!(y.iter().map(&bits).collect::<Vec<_>>(), expected);
}

/// Every way the arrays of a gated activation can be wrong.
fn bad_gated_arrays<C: Copy>(swiglu: Gated<C>, one: C) {
    let mut data = [one; 48];
    let gate = data.as_mut_ptr();
    let (up, y) = (gate.wrapping_add(16), gate.wrapping_add(32));
    // SAFETY: the good pointers point to 16 values each; the others are refused.
    unsafe {
        assert_eq!(swiglu(gate, up, y, 16), Status::Ok);
        assert_eq!(swiglu(null(), null(), null_mut(), 0), Status::Ok);
        assert_eq!(swiglu(null(), up, y, 16), Status::Null);
        assert_eq!(swiglu(gate, null(), y, 16), Status::Null);
        assert_eq!(swiglu(gate, up, null_mut(), 16), Status::Null);
        assert_eq!(swiglu(off(gate), up, y, 15), Status::Misaligned);
        assert_eq!(swiglu(gate, off(up), y, 15), Status::Misaligned);
        assert_eq!(swiglu(gate, up, off(y), 15), Status::Misaligned);
        assert_eq!(swiglu(gate, up, gate, 16), Status::Overlap);
        assert_eq!(swiglu(gate, up, up.wrapping_add(1), 16), Status::Overlap);
        assert_eq!(swiglu(gate, up, y, 17), Status::Overlap);
        assert_eq!(swiglu(gate, up, y, usize::MAX), Status::Short);
    }
}

#[test]
fn gated_activations() {
    let x = values();
    gated_as_rust(xielu_swiglu_f32, &x, |v| v.to_bits());
    let x_bf16: Vec<bf16> = x.iter().copied().map(bf16::from_f32).collect();
    gated_as_rust(xielu_swiglu_bf16, &x_bf16, |v| v.to_bits().into());
    let x_f16: Vec<f16> = x.iter().copied().map(f16::from_f32).collect();
    gated_as_rust(xielu_swiglu_f16, &x_f16, |v| v.to_bits().into());
    bad_gated_arrays(xielu_swiglu_f32, 1.0);
    bad_gated_arrays(xielu_swiglu_bf16, 0x3f80);
    bad_gated_arrays(xielu_swiglu_f16, 0x3c00);
}
