//! xIELU in f32 against double precision.

use anyhow::{Context as _, ensure};
use xielu::activation::accuracy::xielu_ulp;
use xielu::activation::reference::Xielu;
use xielu::kernels::{Activation, Coefficients, Kernels};

use super::check::Check;

/// Effective alphas: a freshly initialised layer, ordinary ones, and about what trained models reach.
pub const ALPHAS: [(f32, f32); 4] = [(0.8, 0.8), (1.293, 1.082), (17.75, 6.5), (166.0, 41.25)];
pub const BETA: f32 = 0.5;

pub fn checks(kernels: &Kernels) -> Vec<Check> {
    let check = |&(alpha_p, alpha_n): &(f32, f32)| {
        let name = format!("xIELU, alpha_p {alpha_p}, alpha_n {alpha_n}");
        (name, check(kernels, alpha_p, alpha_n))
    };
    ALPHAS.iter().map(check).collect()
}

/// Values of both signs, evenly spread over the exponents from 2^-30 to 2^6.
pub fn inputs() -> impl Iterator<Item = f32> {
    let magnitudes = (0..36 * 512).map(|i| 2f64.powf(f64::from(i) / 512.0 - 30.0) as f32);
    magnitudes.flat_map(|m| [m, -m])
}

fn check(kernels: &Kernels, alpha_p: f32, alpha_n: f32) -> anyhow::Result<String> {
    let x: Vec<f32> = inputs().collect();
    let mut y = x.clone();
    let coefficients = Coefficients { alpha_p, alpha_n, beta: BETA, eps: 0.0 };
    kernels.activate_in_place(&Activation::Xielu(coefficients), &mut y);
    let reference =
        Xielu { alpha_p: alpha_p.into(), alpha_n: alpha_n.into(), beta: BETA.into(), eps: None };
    let bound = xielu_ulp(alpha_p, alpha_n).context("the accuracy table has no such alphas")?;
    let mut worst = (0.0, 0.0);
    for (&x, &y) in x.iter().zip(&y) {
        let truth = reference.forward(x.into());
        let larger = truth.abs().max(f64::from(BETA * x).abs());
        // The spacing of f32 there: 2^-23 of the power of two below.
        let power_of_two = f64::from_bits(larger.to_bits() & f64::INFINITY.to_bits());
        let error = (f64::from(y) - truth).abs() / power_of_two * f64::from(1 << 23);
        // A NaN must not pass for small.
        if error > worst.0 || error.is_nan() {
            worst = (error, x);
        }
    }
    let (error, at) = worst;
    ensure!(error <= bound, "off by {error:.2} ulp at x = {at:e}, the bound is {bound}");
    Ok(format!("{} values within {error:.2} of {bound} ulp of the larger term", x.len()))
}
