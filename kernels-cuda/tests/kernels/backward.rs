//! Gradients against f64 and against vectors computed with 60 digits.

use crate::support::calls::{Layout, forward};
use crate::support::gradients::{Call, Gradients, truth};
use crate::support::*;
use half::{bf16, f16};
use xielu::activation::{Form, reference};
use xielu_kernels_cuda::{Activation, Learned};
use xielu_testing::ulp;
use xielu_testing::vectors::sets;

/// Largest error of f'(x), in ulp of the larger of it and beta.
const XIELU_SLOPE: f64 = 2.1;
/// The same with a negative side that is a parabola.
const XIPRELU_SLOPE: f64 = 0.5;
/// Largest error of one element's alpha gradient, in its own ulp.
const ALPHA: f64 = 2.0;
/// Largest error of silu'(gate) in ulp of the larger of it and sigmoid(gate).
const SILU_SLOPE: f64 = 3.1;

/// Beside the kernel's own error the alphas are rounded to f32: half an ulp more of each term.
#[test]
fn vectors_of_60_digits() {
    let machines = machines();
    let mut worst = [0.0f64; 4];
    for set in sets() {
        let raw = set.raw;
        for (rows, form) in [(&set.ideal, Form::Ideal), (&set.eps, Form::Clamped)] {
            let f = Learned::from(raw.freeze(form));
            for (row, machine) in rows.iter().flat_map(|r| machines.iter().map(move |m| (r, m))) {
                let at = forward(machine, 1, &f.activation, &[row.x], Layout::default())[0];
                let Gradients { dx, alphas } = Call::on(machine).run(f, &[row.x], &[1.0]);
                let [p, n] = row.draw;
                let errors = [
                    ulp::error(at.into(), row.y, row.y.abs().max(0.5 * f64::from(row.x).abs())),
                    ulp::error(dx[0].into(), row.dx, row.dx.abs().max(0.5)),
                    ulp::error(alphas[0].into(), p, p),
                    ulp::error(alphas[1].into(), n, n),
                ];
                worst.iter_mut().zip(errors).for_each(|(w, e)| *w = w.max(e));
            }
        }
    }
    println!("largest errors of y, dx, draw_p, draw_n in ulp: {worst:.2?}");
    let bounds = [3.0, XIELU_SLOPE + 0.5, ALPHA, ALPHA];
    assert!(worst.iter().zip(bounds).all(|(&w, bound)| w <= bound && w > 0.0));
}

/// With dy = 1, dx is f'(x).
fn slopes<T: Value>(x: &[T], mut check: impl FnMut(&Activation, T, T)) {
    let ones = vec![T::from_f32(1.0); x.len()];
    for machine in machines() {
        for f in functions() {
            let Gradients { dx, .. } = Call::on(&machine).run(f, x, &ones);
            x.iter().zip(dx).for_each(|(&x, dx)| check(&f, x, dx));
        }
    }
}

#[test]
fn slopes_f32() {
    let mut worst = [0.0f64; 3];
    slopes(&sweep(4099), |f, x, dx| {
        let expected = truth(f, x.into()).dx;
        let term = expected.abs().max(coefficients_of(f).beta.into());
        let worst = &mut worst[f.kind() as usize];
        *worst = worst.max(ulp::error(dx.into(), expected, term));
    });
    println!("largest errors of f'(x) in ulp of the larger term: {worst:.3?}");
    assert!(worst[0] <= XIELU_SLOPE && XIELU_SLOPE <= 1.25 * worst[0], "xIELU");
    assert!(worst[1] <= XIPRELU_SLOPE && worst[2] == 0.0);
}

/// The rounding of the truth, or one encoding beside it where f32 could not tell.
fn slopes_of_every_encoding<T: Value>(most: usize) {
    let mut misrounded = 0;
    slopes(&every::<T>(), |f, x, dx| {
        let expected = T::from_f32(truth(f, x.to_f32().into()).dx as f32);
        if expected.to_f32().is_nan() {
            assert!(dx.to_f32().is_nan());
        } else if dx.to_f32() != expected.to_f32() {
            let scale = expected.to_f32().abs().max(coefficients_of(f).beta);
            let error = (dx.to_f32() - expected.to_f32()).abs();
            assert!(error <= scale / 128.0, "{f:?} at {x:?}: {dx:?}, expected {expected:?}");
            misrounded += 1;
        }
    });
    let all = 65_536 * functions().len() * machines().len();
    println!("{misrounded} of {all} slopes are not the rounded truth");
    assert!(misrounded <= most * machines().len());
}

#[test]
fn slopes_of_every_bf16() {
    slopes_of_every_encoding::<bf16>(300);
}

#[test]
fn slopes_of_every_f16() {
    slopes_of_every_encoding::<f16>(800);
}

/// One element at a time, so that nothing hides in a sum.
#[test]
fn alphas_of_single_elements() {
    let mut worst = 0.0f64;
    let x = sweep(8_388_593);
    for machine in machines() {
        for f in functions().iter().filter(|f| f.kind().has_alphas()) {
            for &x in &x {
                let expected = truth(f, x.into());
                let Gradients { alphas, .. } = Call::on(&machine).run(*f, &[x], &[1.0]);
                worst = worst.max(ulp::error(alphas[0].into(), expected.alpha_p, expected.alpha_p));
                worst = worst.max(ulp::error(alphas[1].into(), expected.alpha_n, expected.alpha_n));
            }
        }
    }
    println!("largest error of an alpha gradient: {worst:.3} ulp");
    assert!(worst <= ALPHA && worst > 0.0);
}

/// With dy = 1 and up = 1 the gradients are silu'(gate) and silu(gate).
fn swiglu_slopes<T: Value>(gate: &[T], mut check: impl FnMut(T, T, T)) {
    let ones = vec![T::from_f32(1.0); gate.len()];
    for machine in machines() {
        let [d_gate, d_up] = Call::on(&machine).swiglu(gate, &ones, &ones);
        let silu = T::swiglu(&xielu::kernels::Kernels::detect(), gate, &ones);
        same_bits("silu(gate)", gate, &d_up, &silu);
        gate.iter().zip(d_gate).for_each(|(&x, slope)| {
            check(x, slope, T::from_f32(reference::silu_derivative(x.to_f32().into()) as f32));
        });
    }
}

#[test]
fn swiglu_f32() {
    let mut worst = 0.0f64;
    swiglu_slopes(&sweep(1021), |x, slope, _| {
        let expected = reference::silu_derivative(x.into());
        let term = expected.abs().max(reference::sigmoid(x.into()));
        // Below, the sigmoid is not a normal f32.
        if x.is_nan() || x > -86.0 {
            worst = worst.max(ulp::error(slope.into(), expected, term));
        } else {
            assert!(slope.abs() < 1e-35, "{slope} at {x}");
        }
    });
    println!("largest error of silu'(x): {worst:.3} ulp of the larger term");
    assert!(worst <= SILU_SLOPE && SILU_SLOPE <= 1.25 * worst);
}

fn swiglu_every<T: Value>(most: usize) {
    let mut misrounded = 0;
    swiglu_slopes(&every::<T>(), |x, slope, expected| {
        if expected.to_f32().is_nan() {
            assert!(slope.to_f32().is_nan());
        } else if slope.to_f32() != expected.to_f32() {
            let error = (slope.to_f32() - expected.to_f32()).abs();
            let scale = expected.to_f32().abs().max(1e-30).max(x.to_f32().exp().min(1.0));
            assert!(error <= scale / 128.0, "at {x:?}: {slope:?}, expected {expected:?}");
            misrounded += 1;
        }
    });
    println!("{misrounded} of 65536 slopes are not the rounded truth");
    assert!(misrounded <= most * machines().len());
}

#[test]
fn swiglu_of_every_encoding() {
    swiglu_every::<bf16>(1);
    swiglu_every::<f16>(3);
}

/// Products of all three operands, one rounding each.
#[test]
fn swiglu_products() {
    let [gate, up, dy] = [1, 2, 3].map(|seed| pre_activations(5000, seed));
    for machine in machines() {
        let [d_gate, d_up] = Call::on(&machine).swiglu(&gate, &up, &dy);
        for i in 0..gate.len() {
            let [g, u, d] = [gate[i], up[i], dy[i]].map(f64::from);
            let [by_gate, by_up] = reference::swiglu_derivatives(g, u).map(|slope| slope * d);
            let term = (d * u * reference::sigmoid(g)).abs().max(by_gate.abs());
            assert!(ulp::error(d_gate[i].into(), by_gate, term) <= SILU_SLOPE + 1.0);
            assert!(ulp::error(d_up[i].into(), by_up, by_up) <= 6.0);
        }
    }
}

fn accumulation<T: Value>() {
    let x: Vec<T> = pre_activations(3000, 1).into_iter().map(T::from_f32).collect();
    let dy: Vec<T> = pre_activations(3000, 2).into_iter().map(T::from_f32).collect();
    let add_to = 0.375;
    for machine in machines() {
        for f in functions() {
            let plain = Call::on(&machine).run(f, &x, &dy);
            let added = Call { add_to: Some(add_to), ..Call::on(&machine) }.run(f, &x, &dy);
            for i in 0..x.len() {
                let slope = truth(&f, x[i].to_f32().into()).dx;
                let dy = f64::from(dy[i].to_f32());
                let exact = f64::from(add_to) + slope * dy;
                let slope_error = slope.abs().max(0.5) * dy.abs() * 3.0 * f64::from(f32::EPSILON);
                let bound = slope_error + exact.abs() * f64::from(T::ulp());
                let sum = f64::from(added.dx[i].to_f32());
                assert!((sum - exact).abs() <= bound, "{f:?}: {sum}, expected {exact}");
            }
            for (sum, plain) in added.alphas.into_iter().zip(plain.alphas) {
                if !f.kind().has_alphas() {
                    assert_eq!(sum, add_to, "written to without need");
                } else {
                    assert!((sum - (add_to + plain)).abs() <= sum.abs().max(1.0) * 1e-6);
                }
            }
        }
        let [d_gate, d_up] = Call::on(&machine).swiglu(&x, &dy, &dy);
        let call = Call { add_to: Some(add_to), ..Call::on(&machine) };
        let sums = call.swiglu(&x, &dy, &dy);
        for (plain, sum) in d_gate.iter().chain(&d_up).zip(sums.iter().flatten()) {
            let [plain, sum] = [plain, sum].map(|v| v.to_f32());
            let scale = plain.abs().max(add_to);
            assert!((sum - (add_to + plain)).abs() <= scale * 2.0 * T::ulp());
        }
    }
}

#[test]
fn accumulates_into_what_is_there() {
    accumulation::<f32>();
    accumulation::<bf16>();
    accumulation::<f16>();
}

/// Nothing about an element's gradient depends on where it lies.
fn sizes_places_and_grids<T: Value>() {
    let x: Vec<T> = pre_activations(3 * 8192 + 13, 1).into_iter().map(T::from_f32).collect();
    let dy: Vec<T> = pre_activations(3 * 8192 + 13, 2).into_iter().map(T::from_f32).collect();
    let f = functions()[8];
    for machine in machines() {
        for n in [1, 7, 255, 2047, 2049, 8191, 8192, 8193, 3 * 8192 + 13] {
            let (x, dy) = (&x[..n], &dy[..n]);
            let first = Call::on(&machine).run(f, x, dy);
            let ones = vec![T::from_f32(1.0); n];
            let swiglu = Call::on(&machine).swiglu(x, &ones, dy);
            for at in [[1, 0, 0], [0, 3, 0], [0, 0, 5], [1, 1, 1]] {
                for blocks in [1, 3, 1000] {
                    let call = Call { at, blocks, ..Call::on(&machine) };
                    let other = call.run(f, x, dy);
                    same_bits("dx", x, &other.dx, &first.dx);
                    assert_eq!(other.alphas.map(f32::to_bits), first.alphas.map(f32::to_bits));
                    let others = call.swiglu(x, &ones, dy);
                    same_bits("d_gate", x, &others[0], &swiglu[0]);
                    same_bits("d_up", x, &others[1], &swiglu[1]);
                }
            }
        }
    }
}

#[test]
fn odd_sizes_misaligned_any_grid() {
    sizes_places_and_grids::<f32>();
    sizes_places_and_grids::<bf16>();
    sizes_places_and_grids::<f16>();
}
