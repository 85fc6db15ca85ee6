//! xIELU, frozen: its effective parameters.

use super::elementwise::learned;
use crate::kernels::{Activation, Coefficients};
use crate::numeric::extended::shifted_softplus;

/// The effective parameters of one layer, from [`RawXielu::freeze`](super::RawXielu::freeze), and
/// the stored alphas they are made of, which gradients are by.
///
/// `f(x) = alpha_p*x^2 + beta*x` for `x > 0`, `alpha_n*(e^x - 1 - x) + beta*x` otherwise;
/// `f'(x) = 2*alpha_p*x + beta` and `alpha_n*(e^x - 1) + beta`. `f(0) = 0`,
/// `f(+inf) = f(-inf) = +inf`. In the clamped form `e^x` is `e^min(x, eps)`: for `eps < x <= 0` the
/// exponential is a constant, as it is to autograd, and `f'(x) = beta - alpha_n`.
///
/// Source: arXiv 2411.13010, section 3.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Xielu {
    pub(super) coefficients: Coefficients,
    pub(super) raw: [f32; 2],
}

impl Xielu {
    /// All of them, as kernels take them.
    pub const fn coefficients(&self) -> Coefficients {
        self.coefficients
    }

    /// `softplus(raw_p)`: half the curvature for `x > 0`.
    pub const fn alpha_p(&self) -> f32 {
        self.coefficients.alpha_p
    }

    /// `beta + softplus(raw_n)`: the curvature at `x = -0`.
    pub const fn alpha_n(&self) -> f32 {
        self.coefficients.alpha_n
    }

    /// `softplus(raw_n)`, which `alpha_n - beta` would lose digits of when it is small: the
    /// slope at `x = -inf` is its negative.
    pub fn softplus_n(&self) -> f32 {
        let [_, raw_n] = self.raw;
        shifted_softplus(raw_n, 0.0)
    }

    /// The slope at 0.
    pub const fn beta(&self) -> f32 {
        self.coefficients.beta
    }

    /// The clamp of the exponential's argument; 0 in the ideal form.
    pub const fn eps(&self) -> f32 {
        self.coefficients.eps
    }
}

impl From<Xielu> for Activation {
    fn from(f: Xielu) -> Activation {
        Activation::Xielu(f.coefficients)
    }
}

learned!(Xielu);
