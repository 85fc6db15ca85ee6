//! SiLU, and xSiLU with its wider gate.

use crate::kernels::Activation;

/// `f(x) = x * sigmoid(x)`.
///
/// `f(-inf)` is -0, the limit. Source: Elfwing, Uchibe, Doya, arXiv 1702.03118.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Silu;

impl From<Silu> for Activation {
    fn from(_: Silu) -> Activation {
        Activation::Silu
    }
}

/// `f(x) = x * (sigmoid(x) * (1 + 2*alpha) - alpha)`: the gate reaches from `-alpha` to
/// `1 + alpha`. With `alpha = 0` it is [`Silu`].
///
/// An infinite `x` gives NaN where its gate is exactly 0, at `alpha = -1`. Source: Huang,
/// Expanded Gating Ranges Improve Activation Functions, arXiv 2405.20768, section 3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Xsilu {
    /// How far the gate reaches beyond 0 and 1.
    pub alpha: f32,
}

impl From<Xsilu> for Activation {
    fn from(Xsilu { alpha }: Xsilu) -> Activation {
        Activation::Xsilu { alpha }
    }
}
