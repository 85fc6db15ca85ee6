//! The reference's derivatives against central differences of its functions.

use xielu::RawXielu;
use xielu::activation::Form;
use xielu::activation::reference::{self, Gradients, Xielu, Xiprelu};

/// Points on both sides of every bend, none within a step of one.
const POINTS: [f64; 14] =
    [-90.0, -20.0, -5.0, -2.43, -1.278, -0.7, -0.5, -0.1, -0.01, 0.01, 0.3, 1.0, 3.0, 40.0];

/// `(f(x + h) - f(x - h)) / 2h`: wrong by about h^2 of the third derivative.
fn difference(f: impl Fn(f64) -> f64, x: f64) -> f64 {
    let h = 1e-5 * x.abs().clamp(0.1, 1.0);
    (f(x + h) - f(x - h)) / (2.0 * h)
}

/// `scale` is what the rounding of the differenced values grows with.
fn agree(what: &str, x: f64, derivative: f64, difference: f64, scale: f64) {
    let error = (derivative - difference).abs();
    let bound = 2e-9 * scale.max(derivative.abs());
    assert!(error <= bound, "{what} at {x}: {derivative:e}, by difference {difference:e}");
}

fn raws() -> [RawXielu; 4] {
    let raw = |alpha_p, alpha_n| RawXielu { alpha_p, alpha_n, ..RawXielu::PAPER_INIT };
    [RawXielu::PAPER_INIT, raw(-1.05, -4.6), raw(2.5, 1.25), raw(5.3, 5.78)]
}

/// All three derivatives of a function made from stored scalars. Those are f32, so the steps in
/// them are powers of two.
fn check_layer(
    what: &str,
    raw: RawXielu,
    forward: impl Fn(&RawXielu, f64) -> f64,
    gradients: impl Fn(&RawXielu, f64) -> Gradients,
) {
    const STEP: f32 = 1.0 / 1024.0;
    // Multiples of 2^-12 only: adding the steps is then exact.
    let on_grid = |v: f32| (v * 4096.0).round() / 4096.0;
    let raw = RawXielu { alpha_p: on_grid(raw.alpha_p), alpha_n: on_grid(raw.alpha_n), ..raw };
    let by_raw = |change: fn(&mut RawXielu, f32), x: f64| {
        let at = |step: f32| {
            let mut moved = raw;
            change(&mut moved, step);
            forward(&moved, x)
        };
        // Two differences, extrapolated: wrong by about h^4.
        let wide = (at(2.0 * STEP) - at(-2.0 * STEP)) / (4.0 * f64::from(STEP));
        let narrow = (at(STEP) - at(-STEP)) / (2.0 * f64::from(STEP));
        (4.0 * narrow - wide) / 3.0
    };
    for x in POINTS {
        let Gradients { dx, draw_p, draw_n } = gradients(&raw, x);
        let scale = (forward(&raw, x) / x).abs().max(1.0);
        agree(what, x, dx, difference(|x| forward(&raw, x), x), scale);
        let by_p = by_raw(|raw, step| raw.alpha_p += step, x);
        let by_n = by_raw(|raw, step| raw.alpha_n += step, x);
        agree(what, x, draw_p, by_p, forward(&raw, x).abs());
        agree(what, x, draw_n, by_n, forward(&raw, x).abs());
    }
}

#[test]
fn layers_with_stored_scalars() {
    for raw in raws() {
        check_layer(
            "xIELU",
            raw,
            |raw, x| Xielu::new(raw, Form::Ideal).forward(x),
            |raw, x| Xielu::new(raw, Form::Ideal).gradients(raw, x),
        );
        check_layer(
            "xIELU, eps form",
            raw,
            |raw, x| Xielu::new(raw, Form::Clamped).forward(x),
            |raw, x| Xielu::new(raw, Form::Clamped).gradients(raw, x),
        );
        check_layer(
            "xIPReLU",
            raw,
            |raw, x| Xiprelu::new(raw).forward(x),
            |raw, x| Xiprelu::new(raw).gradients(raw, x),
        );
    }
}

/// Where x lies above eps the exponential is constant.
#[test]
fn eps_form_between_eps_and_0() {
    let raw = RawXielu { eps: -0.5, ..RawXielu::PAPER_INIT };
    let f = Xielu::new(&raw, Form::Clamped);
    for x in [-0.45, -0.3, -0.01] {
        agree("eps form", x, f.derivative(x), difference(|x| f.forward(x), x), 1.0);
    }
    let below = -0.55;
    assert_eq!(f.derivative(below), Xielu::new(&raw, Form::Ideal).derivative(below));
}

#[test]
fn functions_of_one_value() {
    for x in POINTS {
        let scale = x.abs().max(1.0);
        let check = |what, derivative, f: &dyn Fn(f64) -> f64| {
            agree(what, x, derivative, difference(f, x), scale);
        };
        check("ReLU^2", reference::relu2_derivative(x), &reference::relu2);
        check("SiLU", reference::silu_derivative(x), &reference::silu);
        check("softplus", reference::sigmoid(x), &reference::softplus);
        for alpha in [0.3, 1.7] {
            check("ELU", reference::elu_derivative(alpha, x), &|x| reference::elu(alpha, x));
            check("xSiLU", reference::xsilu_derivative(alpha, x), &|x| reference::xsilu(alpha, x));
        }
        for up in [-3.0, 0.25, 10.0] {
            let [by_gate, by_up] = reference::swiglu_derivatives(x, up);
            let scale = scale * up.abs().max(1.0);
            let gate_difference = difference(|x| reference::swiglu(x, up), x);
            agree("SwiGLU by gate", x, by_gate, gate_difference, scale);
            let up_difference = difference(|up| reference::swiglu(x, up), up);
            agree("SwiGLU by up", x, by_up, up_difference, scale);
        }
    }
}

#[test]
fn limits() {
    const INF: f64 = f64::INFINITY;
    assert_eq!([reference::silu(-INF), reference::silu(INF)], [0.0, INF]);
    assert_eq!([reference::silu_derivative(-INF), reference::silu_derivative(INF)], [0.0, 1.0]);
    assert_eq!([reference::xsilu(0.5, -INF), reference::xsilu(0.5, INF)], [INF, INF]);
    assert_eq!([reference::elu(1.5, -INF), reference::elu_derivative(1.5, -INF)], [-1.5, 0.0]);
    let f = Xielu::new(&RawXielu::PAPER_INIT, Form::Ideal);
    assert_eq!([f.forward(-INF), f.forward(INF), f.forward(0.0)], [INF, INF, 0.0]);
    assert!((f.derivative(-INF) + 0.3).abs() < 1e-7);
    assert!(f.forward(f64::NAN).is_nan() && reference::relu2(f64::NAN).is_nan());
    assert!(reference::silu(f64::NAN).is_nan() && reference::elu(1.0, f64::NAN).is_nan());
    // e^x - 1 - x where the two ways of evaluating it meet.
    let [series, difference] = [-0.5f64, -0.5f64.next_up()].map(reference::expm1_minus_x);
    assert!((series / difference - 1.0).abs() < 1e-14);
}
