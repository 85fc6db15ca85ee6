//! xIPReLU, frozen: its effective parameters.

use super::RawXielu;
use super::elementwise::learned;
use crate::kernels::{Activation, Coefficients};
use crate::numeric::extended::shifted_softplus;

/// The effective parameters of one layer, and the stored alphas they are made of, which gradients
/// are by.
///
/// `f(x) = alpha_p*x^2 + beta*x` for `x > 0`, `alpha_n*x^2 + beta*x` otherwise: the integral of
/// PReLU. `f'(x) = 2*alpha*x + beta`. Source: arXiv 2411.13010, section 3.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Xiprelu {
    coefficients: Coefficients,
    raw: [f32; 2],
}

impl Xiprelu {
    /// Of the scalars that a layer stores: `alpha_p = softplus(raw_p)`,
    /// `alpha_n = softplus(raw_n)`. Computed in more than f32, rounded once.
    pub fn freeze(raw: &RawXielu) -> Xiprelu {
        let RawXielu { alpha_p, alpha_n, beta, .. } = *raw;
        let coefficients = Coefficients {
            alpha_p: shifted_softplus(alpha_p, 0.0),
            alpha_n: shifted_softplus(alpha_n, 0.0),
            beta,
            eps: 0.0,
        };
        Xiprelu { coefficients, raw: [alpha_p, alpha_n] }
    }

    /// All of them, as kernels take them.
    pub const fn coefficients(&self) -> Coefficients {
        self.coefficients
    }

    /// `softplus(raw_p)`.
    pub const fn alpha_p(&self) -> f32 {
        self.coefficients.alpha_p
    }

    /// `softplus(raw_n)`.
    pub const fn alpha_n(&self) -> f32 {
        self.coefficients.alpha_n
    }

    /// The slope at 0.
    pub const fn beta(&self) -> f32 {
        self.coefficients.beta
    }
}

impl From<Xiprelu> for Activation {
    fn from(f: Xiprelu) -> Activation {
        Activation::Xiprelu(f.coefficients)
    }
}

learned!(Xiprelu);
