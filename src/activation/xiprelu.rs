//! xIPReLU, frozen for inference.

use crate::kernels::Activation;

/// The effective parameters of one layer, from
/// [`RawXielu::freeze_xiprelu`](super::RawXielu::freeze_xiprelu).
///
/// `f(x) = alpha_p*x^2 + beta*x` for `x > 0`, `alpha_n*x^2 + beta*x` otherwise: the integral of
/// PReLU. Source: arXiv 2411.13010, section 3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Xiprelu {
    pub(super) alpha_p: f32,
    pub(super) alpha_n: f32,
    pub(super) beta: f32,
}

impl Xiprelu {
    /// `softplus(raw_p)`.
    pub const fn alpha_p(&self) -> f32 {
        self.alpha_p
    }

    /// `softplus(raw_n)`.
    pub const fn alpha_n(&self) -> f32 {
        self.alpha_n
    }

    /// The slope at 0.
    pub const fn beta(&self) -> f32 {
        self.beta
    }
}

impl From<Xiprelu> for Activation {
    fn from(Xiprelu { alpha_p, alpha_n, beta }: Xiprelu) -> Activation {
        Activation::Xiprelu { alpha_p, alpha_n, beta }
    }
}
