//! xIELU's learned parameters: as checkpoints store them, and as the kernels use them.

use crate::kernels::{Activation, XieluCoefficients};

/// The scalars of one layer as trained and stored: **before** softplus.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RawXielu {
    /// Before softplus.
    pub alpha_p: f32,
    /// Before softplus and before `beta` is added.
    pub alpha_n: f32,
    /// Slope at 0; 0.5 in every released model.
    pub beta: f32,
    /// The reference's clamp; about -1e-6 in every released model.
    pub eps: f32,
}

/// The effective parameters of one layer, frozen for inference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Xielu {
    alpha_p: f32,
    alpha_n: f32,
    beta: f32,
}

impl RawXielu {
    /// The scalars of an xIPReLU layer: `alpha_p = softplus(raw_p)`, `alpha_n = softplus(raw_n)`.
    pub fn freeze_xiprelu(&self) -> Activation {
        let softplus = |r: f32| if r > 20.0 { r } else { libm::log1pf(libm::expf(r)) };
        Activation::Xiprelu {
            alpha_p: softplus(self.alpha_p),
            alpha_n: softplus(self.alpha_n),
            beta: self.beta,
        }
    }

    /// Applies softplus: `alpha_p = softplus(raw_p)`, `alpha_n = beta + softplus(raw_n)`.
    pub fn freeze(&self) -> Xielu {
        let softplus = |r: f32| if r > 20.0 { r } else { libm::log1pf(libm::expf(r)) };
        Xielu {
            alpha_p: softplus(self.alpha_p),
            alpha_n: self.beta + softplus(self.alpha_n),
            beta: self.beta,
        }
    }
}

impl From<Xielu> for Activation {
    fn from(x: Xielu) -> Activation {
        Activation::Xielu(XieluCoefficients {
            alpha_p: x.alpha_p,
            alpha_n: x.alpha_n,
            beta: x.beta,
            eps: 0.0,
        })
    }
}
