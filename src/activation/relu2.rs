//! Squared ReLU.

use crate::kernels::Activation;

/// `f(x) = max(0, x)^2`.
///
/// Source: So et al., Primer, arXiv 2109.08668, section 4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relu2;

impl From<Relu2> for Activation {
    fn from(_: Relu2) -> Activation {
        Activation::Relu2
    }
}
