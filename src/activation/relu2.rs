//! Squared ReLU.

use super::{Device, Differentiable, Element};
use crate::kernels::Activation;

/// `f(x) = max(0, x)^2`, `f'(x) = 2*max(0, x)`.
///
/// Source: So et al., Primer, arXiv 2109.08668, section 4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relu2;

impl From<Relu2> for Activation {
    fn from(_: Relu2) -> Activation {
        Activation::Relu2
    }
}

impl Differentiable for Relu2 {
    type Gradients<D: Device> = ();

    fn backward<D: Device, T: Element>(
        self,
        device: &D,
        x: D::Slice<'_, T>,
        dy: D::Slice<'_, T>,
        dx: D::SliceMut<'_, T>,
    ) -> Result<(), D::Error> {
        device.backward(&self.into(), x, dy, dx)
    }
}
