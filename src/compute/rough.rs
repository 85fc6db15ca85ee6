//! Three digits for CPUs that have no FPU (feature `micromath`). The kernels never call these
//! functions: [`Backend::with_rough_functions`](crate::Backend::with_rough_functions) chooses them
//! for a decoder or a layer.

use core::f32::consts::LN_2;

use micromath::F32Ext;

use crate::kernels::{Activation, Coefficients};

/// Largest error of [`exp`], relative to `e^x`, for x in [`EXP_DOMAIN`].
pub const EXP_ERROR: f64 = 2.4e-3;

/// Largest error of [`xielu`] relative to `max(|f|, |beta*x|)`, for `alpha_p > 0` and
/// `alpha_n >= beta > 0`: no more than that of rounding to bf16 (2^-9).
pub const XIELU_ERROR: f64 = 1.9e-3;

/// Below, [`exp`] is 0, and above infinite.
pub const EXP_DOMAIN: [f32; 2] = [-87.0, 88.0];

/// `(e^x - 1 - x) / x^2` for x in [-ln 2, 0], within 1.6e-4 of its value (Remez).
const NEAR: [f32; 3] = [0.499_922_87, 0.164_709_92, 0.033_963_59];

/// `e^x` by micromath: Taylor's series to the fourth power, of the fraction of `x / ln 2`. NaN for
/// NaN.
pub fn exp(x: f32) -> f32 {
    let [low, high] = EXP_DOMAIN;
    if x < low {
        return 0.0;
    }
    if x > high {
        return f32::INFINITY;
    }
    // micromath would make a number of NaN.
    if x.is_nan() { x } else { F32Ext::exp(x) }
}

/// xIELU in the ideal form (`eps` is not looked at). Near 0, where `e^x - 1 - x` would cancel, it
/// is `x^2` times a polynomial; below -ln 2 the exponential is [`exp`].
pub fn xielu(f: &Coefficients, x: f32) -> f32 {
    if x > 0.0 {
        return x * (f.alpha_p * x + f.beta);
    }
    if x > -LN_2 {
        let [c0, c1, c2] = NEAR;
        return x * (f.alpha_n * x * (c0 + x * (c1 + x * c2)) + f.beta);
    }
    // So arranged it is infinite at -inf, as it should be.
    f.alpha_n * (exp(x) - 1.0) - (f.alpha_n - f.beta) * x
}

/// `x[i] = f(x[i])`, roughly if there is a rough form.
pub(crate) fn activate(f: &Activation, x: &mut [f32]) {
    match f {
        Activation::Xielu(f) => x.iter_mut().for_each(|x| *x = xielu(f, *x)),
        _ => x.iter_mut().for_each(|x| *x = f.apply(*x)),
    }
}
