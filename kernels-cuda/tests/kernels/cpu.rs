//! Gradients: the bits of the CPU's kernels, sums included.

use crate::support::gradients::{Call, Gradients};
use crate::support::*;
use half::{bf16, f16};
use xielu::activation::{Differentiable, Form, Relu2, Swiglu, Xiprelu};
use xielu::{Backend, RawXielu};
use xielu_kernels_cuda::{Activation, Learned};

fn same_as_the_cpu<T: Value>(x: &[T], dy: &[T]) {
    let backend = Backend::default();
    let raw = RawXielu { alpha_p: 2.5, alpha_n: 1.25, ..RawXielu::PAPER_INIT };
    for machine in machines() {
        let call = Call::on(&machine);
        let [ideal, clamped] = [Form::Ideal, Form::Clamped].map(|form| raw.freeze(form));
        let xiprelu = Xiprelu::freeze(&raw);
        for (name, f) in
            [("ideal", ideal.into()), ("eps", clamped.into()), ("xIPReLU", xiprelu.into())]
        {
            let f: Learned = f;
            let Gradients { dx, alphas } = call.run(f, x, dy);
            let mut expected = vec![T::from_f32(7.0); x.len()];
            let gradients = match name {
                "ideal" => ideal.backward(&backend, x, dy, &mut expected),
                "eps" => clamped.backward(&backend, x, dy, &mut expected),
                _ => xiprelu.backward(&backend, x, dy, &mut expected),
            }
            .unwrap();
            same_bits(name, x, &dx, &expected);
            let rounded = [gradients.draw_p as f32, gradients.draw_n as f32];
            for (found, expected) in alphas.into_iter().zip(rounded) {
                let nan = found.is_nan() && expected.is_nan();
                assert!(nan || found.to_bits() == expected.to_bits(), "{name}: {alphas:?}");
            }
        }
        let mut expected = vec![T::from_f32(7.0); x.len()];
        Relu2.backward(&backend, x, dy, &mut expected).unwrap();
        same_bits("ReLU^2", x, &call.run(Activation::Relu2, x, dy).dx, &expected);
        let up: Vec<T> = dy.iter().rev().copied().collect();
        let mut d_up = expected.clone();
        Swiglu.backward(&backend, [x, &up], dy, [&mut expected, &mut d_up]).unwrap();
        let found = call.swiglu(x, &up, dy);
        same_bits("d_gate", x, &found[0], &expected);
        same_bits("d_up", x, &found[1], &d_up);
    }
}

fn layers<T: Value>() {
    // Whole tiles, the last one not whole, and more tiles than are summed side by side.
    for n in [0, 1, 9, 2048, 8192, 30_001, 260 * 8192 + 77] {
        let [x, dy] = [1, 2]
            .map(|seed| pre_activations(n, seed).into_iter().map(T::from_f32).collect::<Vec<T>>());
        same_as_the_cpu(&x, &dy);
    }
    let encodings = every::<T>();
    let mut dy = encodings.clone();
    dy.rotate_left(12_345);
    same_as_the_cpu(&encodings, &dy);
}

#[test]
fn f32_gradients() {
    layers::<f32>();
}

#[test]
fn bf16_gradients() {
    layers::<bf16>();
}

#[test]
fn f16_gradients() {
    layers::<f16>();
}
