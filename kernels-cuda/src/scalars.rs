//! Where kernels find the scalars of a layer.

use xielu_kernels_simd::{Activation, Coefficients};

use crate::DType;

/// Where a kernel finds the scalars. All are finite, and `eps <= 0`. Functions without alphas have
/// no use for them: [`Scalars::NONE`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalars {
    /// In the launch.
    Value {
        /// The effective ones.
        coefficients: Coefficients,
        /// `sigmoid(raw_p)` and `sigmoid(raw_n)`: the derivatives of `alpha_p` and `alpha_n` by
        /// what is stored. Only gradients need them.
        slopes: [f64; 2],
    },
    /// At a device address, as [`Raw::freeze`](crate::Raw::freeze) writes them.
    Device(u64),
}

impl Scalars {
    /// Those of a function that has none.
    pub const NONE: Scalars =
        Scalars::effective(Coefficients { alpha_p: 0.0, alpha_n: 0.0, beta: 0.0, eps: 0.0 });

    /// With slopes of 1: gradients are those of the effective alphas.
    pub const fn effective(coefficients: Coefficients) -> Scalars {
        Scalars::Value { coefficients, slopes: [1.0; 2] }
    }
}

/// Those of the function, if it has any.
pub(crate) fn coefficients(f: &Activation) -> Option<Coefficients> {
    match *f {
        Activation::Xielu(coefficients) | Activation::Xiprelu(coefficients) => Some(coefficients),
        _ => None,
    }
}

impl From<&Activation> for Scalars {
    fn from(f: &Activation) -> Self {
        coefficients(f).map_or(Scalars::NONE, Scalars::effective)
    }
}

/// The stored scalars of a layer on the device, as an optimiser holds them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RawScalars {
    /// Address of the stored `alpha_p`.
    pub alpha_p: u64,
    /// Address of the stored `alpha_n`.
    pub alpha_n: u64,
    /// How both are stored.
    pub dtype: DType,
    /// Slope at 0.
    pub beta: f32,
    /// 0, or the reference's clamp.
    pub eps: f32,
}
