//! The functions and their derivatives in f64, written to be read: the truth that the kernels
//! and the training code are held against. Relative errors are a few ulp of f64 of the largest
//! term unless a comment says otherwise.

use super::{Form, RawXielu};
pub use crate::numeric::softplus::{sigmoid, softplus};

/// `e^x - 1 - x` for `x <= 0`, with full relative accuracy: error < 2^-49 of the result.
///
/// Above -0.5 the difference would cancel and Taylor's series is summed instead; its first
/// omitted term is below 2^-72 of the result.
pub fn expm1_minus_x(x: f64) -> f64 {
    if x < -0.5 || x.is_nan() {
        return libm::expm1(x) - x;
    }
    // x^2/2! * (1 + x/3 * (1 + x/4 * (...)))
    let mut sum = 1.0;
    for n in (3..=19).rev() {
        sum = 1.0 + sum * x / f64::from(n);
    }
    x * x / 2.0 * sum
}

/// xIELU in effective parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Xielu {
    /// `softplus(raw_p)`.
    pub alpha_p: f64,
    /// `beta + softplus(raw_n)`.
    pub alpha_n: f64,
    /// Slope at 0.
    pub beta: f64,
    /// `Some` for the clamped form, with autograd's derivatives.
    pub eps: Option<f64>,
}

/// The derivatives of one output of a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gradients {
    /// With respect to the input.
    pub dx: f64,
    /// With respect to the stored `alpha_p`, before softplus.
    pub draw_p: f64,
    /// With respect to the stored `alpha_n`, before softplus.
    pub draw_n: f64,
}

impl Xielu {
    /// The function of the stored scalars in one of its forms.
    pub fn new(raw: &RawXielu, form: Form) -> Self {
        let beta = f64::from(raw.beta);
        Xielu {
            alpha_p: softplus(raw.alpha_p.into()),
            alpha_n: beta + softplus(raw.alpha_n.into()),
            beta,
            eps: match form {
                Form::Ideal => None,
                Form::Clamped => Some(raw.eps.into()),
            },
        }
    }

    /// `alpha_p*x^2 + beta*x` or `alpha_n*(e^x - 1 - x) + beta*x`.
    pub fn forward(&self, x: f64) -> f64 {
        if x == f64::NEG_INFINITY {
            return f64::INFINITY;
        }
        self.alpha_p * self.d_alpha_p(x) + self.alpha_n * self.d_alpha_n(x) + self.beta * x
    }

    /// `2*alpha_p*x + beta` or `alpha_n*(e^x - 1) + beta`. In the `eps` form the exponential is
    /// constant, and its derivative 0, for `x > eps`.
    pub fn derivative(&self, x: f64) -> f64 {
        if x > 0.0 {
            2.0 * self.alpha_p * x + self.beta
        } else if self.eps.is_some_and(|eps| x > eps) {
            self.beta - self.alpha_n
        } else {
            self.alpha_n * libm::expm1(x) + self.beta
        }
    }

    /// `x^2` for `x > 0`, else 0: the derivative with respect to the effective `alpha_p`.
    pub fn d_alpha_p(&self, x: f64) -> f64 {
        if x > 0.0 { x * x } else { 0.0 }
    }

    /// `e^x - 1 - x` for `x <= 0`, else 0: the derivative with respect to the effective
    /// `alpha_n`.
    pub fn d_alpha_n(&self, x: f64) -> f64 {
        if x > 0.0 {
            return 0.0;
        }
        match self.eps {
            // e^eps - 1 - x, arranged so that nothing cancels as x nears eps.
            Some(eps) if x > eps => (eps - x) + expm1_minus_x(eps),
            _ => expm1_minus_x(x),
        }
    }

    /// All derivatives; `raw` is what this was made from (softplus' derivative is needed).
    pub fn gradients(&self, raw: &RawXielu, x: f64) -> Gradients {
        Gradients {
            dx: self.derivative(x),
            draw_p: self.d_alpha_p(x) * sigmoid(raw.alpha_p.into()),
            draw_n: self.d_alpha_n(x) * sigmoid(raw.alpha_n.into()),
        }
    }
}

/// xIPReLU in effective parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Xiprelu {
    /// `softplus(raw_p)`.
    pub alpha_p: f64,
    /// `softplus(raw_n)`.
    pub alpha_n: f64,
    /// Slope at 0.
    pub beta: f64,
}

impl Xiprelu {
    /// From the stored scalars. The function has no exponential, so `eps` plays no part.
    pub fn new(raw: &RawXielu) -> Self {
        Xiprelu {
            alpha_p: softplus(raw.alpha_p.into()),
            alpha_n: softplus(raw.alpha_n.into()),
            beta: raw.beta.into(),
        }
    }

    fn alpha(&self, x: f64) -> f64 {
        if x > 0.0 { self.alpha_p } else { self.alpha_n }
    }

    /// `alpha*x^2 + beta*x`.
    pub fn forward(&self, x: f64) -> f64 {
        x * (self.alpha(x) * x + self.beta)
    }

    /// `2*alpha*x + beta`.
    pub fn derivative(&self, x: f64) -> f64 {
        2.0 * self.alpha(x) * x + self.beta
    }

    /// All derivatives; `raw` is what this was made from.
    pub fn gradients(&self, raw: &RawXielu, x: f64) -> Gradients {
        let (p, n) = if x > 0.0 { (x * x, 0.0) } else { (0.0, x * x) };
        Gradients {
            dx: self.derivative(x),
            draw_p: p * sigmoid(raw.alpha_p.into()),
            draw_n: n * sigmoid(raw.alpha_n.into()),
        }
    }
}

/// `max(0, x)^2`.
pub fn relu2(x: f64) -> f64 {
    if x.is_nan() { x } else { x.max(0.0) * x.max(0.0) }
}

/// `2*max(0, x)`.
pub fn relu2_derivative(x: f64) -> f64 {
    if x.is_nan() { x } else { 2.0 * x.max(0.0) }
}

/// `x` or `alpha * (e^x - 1)`.
pub fn elu(alpha: f64, x: f64) -> f64 {
    if x > 0.0 { x } else { alpha * libm::expm1(x) }
}

/// `1` or `alpha * e^x`.
pub fn elu_derivative(alpha: f64, x: f64) -> f64 {
    if x > 0.0 { 1.0 } else { alpha * libm::exp(x) }
}

/// `x * sigmoid(x)`; -0 at -inf.
pub fn silu(x: f64) -> f64 {
    if x == f64::NEG_INFINITY { -0.0 } else { x * sigmoid(x) }
}

/// `s + x*s*(1 - s)` with `s = sigmoid(x)`.
pub fn silu_derivative(x: f64) -> f64 {
    sigmoid(x) + silu_curvature(x)
}

/// `x*s*(1 - s)`; 0 at both infinities.
fn silu_curvature(x: f64) -> f64 {
    if x.is_infinite() { 0.0 } else { x * sigmoid(x) * sigmoid(-x) }
}

/// `x * (s*(1 + 2*alpha) - alpha)` with `s = sigmoid(x)`. The gate may cancel: the error is a
/// few ulp of the larger of the result and `alpha*x`.
pub fn xsilu(alpha: f64, x: f64) -> f64 {
    if alpha == 0.0 { silu(x) } else { x * gate(alpha, x) }
}

fn gate(alpha: f64, x: f64) -> f64 {
    sigmoid(x) * (1.0 + 2.0 * alpha) - alpha
}

/// `s*(1 + 2*alpha) - alpha + x*s*(1 - s)*(1 + 2*alpha)` with `s = sigmoid(x)`.
pub fn xsilu_derivative(alpha: f64, x: f64) -> f64 {
    gate(alpha, x) + silu_curvature(x) * (1.0 + 2.0 * alpha)
}

/// `silu(gate) * up`.
pub fn swiglu(gate: f64, up: f64) -> f64 {
    silu(gate) * up
}

/// The derivatives with respect to `gate` and `up`.
pub fn swiglu_derivatives(gate: f64, up: f64) -> [f64; 2] {
    [silu_derivative(gate) * up, silu(gate)]
}
