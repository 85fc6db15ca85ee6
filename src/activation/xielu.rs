//! xIELU, frozen for inference.

use crate::kernels::{Activation, XieluCoefficients};

/// The effective parameters of one layer, from [`RawXielu::freeze`](super::RawXielu::freeze).
///
/// `f(x) = alpha_p*x^2 + beta*x` for `x > 0`, `alpha_n*(e^x - 1 - x) + beta*x` otherwise (with
/// `e^min(x, eps)` in the compatible form). `f(0) = 0`, `f(+inf) = f(-inf) = +inf`.
///
/// Source: arXiv 2411.13010, section 3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Xielu {
    pub(super) alpha_p: f32,
    pub(super) alpha_n: f32,
    pub(super) softplus_n: f32,
    pub(super) beta: f32,
    pub(super) eps: f32,
}

impl Xielu {
    /// `softplus(raw_p)`: half the curvature for `x > 0`.
    pub const fn alpha_p(&self) -> f32 {
        self.alpha_p
    }

    /// `beta + softplus(raw_n)`: the curvature at `x = -0`.
    pub const fn alpha_n(&self) -> f32 {
        self.alpha_n
    }

    /// `softplus(raw_n)`, which `alpha_n - beta` would lose digits of when it is small: the
    /// slope at `x = -inf` is its negative.
    pub const fn softplus_n(&self) -> f32 {
        self.softplus_n
    }

    /// The slope at 0.
    pub const fn beta(&self) -> f32 {
        self.beta
    }

    /// The clamp of the exponential's argument; 0 in the ideal form.
    pub const fn eps(&self) -> f32 {
        self.eps
    }
}

impl From<Xielu> for Activation {
    fn from(f: Xielu) -> Activation {
        Activation::Xielu(XieluCoefficients {
            alpha_p: f.alpha_p,
            alpha_n: f.alpha_n,
            beta: f.beta,
            eps: f.eps,
        })
    }
}
