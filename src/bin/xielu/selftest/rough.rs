//! The approximations of feature `micromath` against double precision.

use anyhow::ensure;
use xielu::activation::reference::Xielu;
use xielu::activation::rough::{self, EXP_DOMAIN, EXP_ERROR, XIELU_ERROR};
use xielu::kernels::Coefficients;

use super::activation::{ALPHAS, BETA, inputs};
use super::check::Check;

pub fn checks() -> [Check; 2] {
    let [low, high] = EXP_DOMAIN;
    let exp = inputs().filter(|x| (low..=high).contains(x)).map(|x| {
        let truth = f64::from(x).exp();
        (f64::from(rough::exp(x)) - truth).abs() / truth
    });
    let xielu = ALPHAS.into_iter().flat_map(|alphas| inputs().map(move |x| error(alphas, x)));
    [
        ("rough exp".into(), within(EXP_ERROR, exp)),
        ("rough xIELU".into(), within(XIELU_ERROR, xielu)),
    ]
}

/// Relative to the larger term.
fn error((alpha_p, alpha_n): (f32, f32), x: f32) -> f64 {
    let f = Coefficients { alpha_p, alpha_n, beta: BETA, eps: 0.0 };
    let truth =
        Xielu { alpha_p: alpha_p.into(), alpha_n: alpha_n.into(), beta: BETA.into(), eps: None };
    let truth = truth.forward(x.into());
    (f64::from(rough::xielu(&f, x)) - truth).abs() / truth.abs().max(f64::from(BETA * x).abs())
}

fn within(bound: f64, errors: impl Iterator<Item = f64>) -> anyhow::Result<String> {
    // A NaN must not pass for small.
    let worst = errors.fold(0.0f64, |worst, e| if e <= worst { worst } else { e });
    ensure!(worst <= bound, "relative error {worst:.2e}, the bound is {bound:.2e}");
    Ok(format!("relative error {worst:.2e}, the bound is {bound:.2e}"))
}
