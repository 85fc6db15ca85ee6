//! Activations as data: which function, and its effective parameters.

use crate::built;

/// The effective (after softplus) coefficients of a function with learned alphas.
///
/// - xIELU: `alpha_p*x^2 + beta*x` for `x > 0`, `alpha_n*(expm1(min(x, eps)) - x) + beta*x`
///   otherwise.
/// - xIPReLU: `alpha_p*x^2 + beta*x` for `x > 0`, `alpha_n*x^2 + beta*x` otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(C)]
pub struct Coefficients {
    /// `softplus(raw_p)`.
    pub alpha_p: f32,
    /// `beta + softplus(raw_n)` for xIELU, `softplus(raw_n)` for xIPReLU.
    pub alpha_n: f32,
    /// Slope at 0.
    pub beta: f32,
    /// 0 for the ideal xIELU; the checkpoint's (-1e-6) to repeat the reference's clamp. xIPReLU
    /// has no use for it.
    pub eps: f32,
}

/// A function of one value with its effective parameters. One that the build leaves out
/// ([`crate::built`]) is NaN everywhere.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Activation {
    /// xIELU, arXiv 2411.13010.
    Xielu(Coefficients),
    /// xIPReLU: `alpha_p*x^2 + beta*x` for `x > 0`, `alpha_n*x^2 + beta*x` otherwise.
    Xiprelu(Coefficients),
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

/// Which function, without parameters: what configurations, tables and programs name. The names
/// that file formats have for them are known where those formats are read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ActivationKind {
    /// [`Activation::Xielu`].
    Xielu,
    /// [`Activation::Xiprelu`].
    Xiprelu,
    /// [`Activation::Relu2`].
    Relu2,
    /// [`Activation::Silu`].
    Silu,
    /// [`Activation::Elu`].
    Elu,
    /// [`Activation::Xsilu`].
    Xsilu,
    /// `silu(gate) * up`, of two values.
    Swiglu,
}

impl Activation {
    /// Which function.
    pub const fn kind(&self) -> ActivationKind {
        match self {
            Activation::Xielu(_) => ActivationKind::Xielu,
            Activation::Xiprelu(_) => ActivationKind::Xiprelu,
            Activation::Relu2 => ActivationKind::Relu2,
            Activation::Silu => ActivationKind::Silu,
            Activation::Elu { .. } => ActivationKind::Elu,
            Activation::Xsilu { .. } => ActivationKind::Xsilu,
        }
    }
}

impl ActivationKind {
    crate::every_variant! {
        /// All of them.
        pub const ALL: ActivationKind = [Xielu, Xiprelu, Relu2, Silu, Elu, Xsilu, Swiglu];
    }

    /// Whether it takes two values, a gate and what it lets through: an MLP then has a third
    /// matrix, `gate_proj`.
    pub const fn is_gated(self) -> bool {
        matches!(self, ActivationKind::Swiglu)
    }

    /// Whether every layer learns and stores an `alpha_p` and an `alpha_n`.
    pub const fn has_alphas(self) -> bool {
        matches!(self, ActivationKind::Xielu | ActivationKind::Xiprelu)
    }

    /// Whether it is compiled; see [`built`].
    pub const fn is_built(self) -> bool {
        match self {
            ActivationKind::Xielu => built::XIELU,
            ActivationKind::Xiprelu => built::XIPRELU,
            ActivationKind::Relu2 => built::RELU2,
            ActivationKind::Silu => built::SILU,
            ActivationKind::Elu => built::ELU,
            ActivationKind::Xsilu => built::XSILU,
            ActivationKind::Swiglu => built::SWIGLU,
        }
    }
}

crate::names!(ActivationKind, kind => match kind {
    ActivationKind::Xielu => "xIELU",
    ActivationKind::Xiprelu => "xIPReLU",
    ActivationKind::Relu2 => "ReLU^2",
    ActivationKind::Silu => "SiLU",
    ActivationKind::Elu => "ELU",
    ActivationKind::Xsilu => "xSiLU",
    ActivationKind::Swiglu => "SwiGLU",
});
