//! ELU, from whose affine maps xIELU's gradient is built.

use crate::kernels::Activation;

/// `f(x) = x` for `x > 0`, `alpha * (e^x - 1)` otherwise.
///
/// Source: Clevert, Unterthiner, Hochreiter, arXiv 1511.07289, equation 15.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Elu {
    /// `-f(-inf)`.
    pub alpha: f32,
}

impl From<Elu> for Activation {
    fn from(Elu { alpha }: Elu) -> Activation {
        Activation::Elu { alpha }
    }
}
