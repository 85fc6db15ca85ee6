//! Activations as data: which function, and its effective parameters.

/// Effective (after softplus) coefficients of xIELU, as the kernels use them.
///
/// `x > 0`: `alpha_p*x^2 + beta*x`; `x <= 0`: `alpha_n*(expm1(min(x, eps)) - x) + beta*x`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct XieluCoefficients {
    /// `softplus(raw_p)`.
    pub alpha_p: f32,
    /// `beta + softplus(raw_n)`.
    pub alpha_n: f32,
    /// Slope at 0.
    pub beta: f32,
    /// 0 for the ideal function; the checkpoint's (-1e-6) to repeat the reference's clamp.
    pub eps: f32,
}

/// An elementwise activation with its frozen parameters. One that the build leaves out
/// ([`crate::built`]) is NaN everywhere.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Activation {
    /// xIELU, arXiv 2411.13010.
    Xielu(XieluCoefficients),
    /// xIPReLU: `alpha_p*x^2 + beta*x` for `x > 0`, `alpha_n*x^2 + beta*x` otherwise.
    Xiprelu {
        /// Quadratic coefficient for `x > 0`.
        alpha_p: f32,
        /// Quadratic coefficient for `x <= 0`.
        alpha_n: f32,
        /// Slope at 0.
        beta: f32,
    },
    /// `max(0, x)^2`.
    Relu2,
    /// `x * sigmoid(x)`.
    Silu,
    /// `x` for `x > 0`, `alpha * (e^x - 1)` otherwise.
    Elu {
        /// Scale of the negative side.
        alpha: f32,
    },
    /// `x * (sigmoid(x) * (1 + 2*alpha) - alpha)`.
    Xsilu {
        /// How far the gate reaches beyond 0 and 1.
        alpha: f32,
    },
}

/// An activation with learned alphas, by its effective (after softplus) parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LearnedActivation {
    /// xIELU, arXiv 2411.13010.
    Xielu(XieluCoefficients),
    /// xIPReLU: `alpha_p*x^2 + beta*x` for `x > 0`, `alpha_n*x^2 + beta*x` otherwise.
    Xiprelu {
        /// Quadratic coefficient for `x > 0`.
        alpha_p: f32,
        /// Quadratic coefficient for `x <= 0`.
        alpha_n: f32,
        /// Slope at 0.
        beta: f32,
    },
}
