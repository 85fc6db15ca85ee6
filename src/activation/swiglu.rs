//! The gated activation of Llama models.

use super::Element;
use crate::kernels::{Kernels, LengthError};

/// `f(gate, up) = silu(gate) * up`.
///
/// Source: Shazeer, GLU Variants Improve Transformer, arXiv 2002.05202, equation 5.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swiglu;

impl Swiglu {
    /// `dst[i] = silu(gate[i]) * up[i]`.
    ///
    /// # Errors
    /// If the lengths differ; nothing is written.
    pub fn forward<T: Element>(
        self,
        kernels: &Kernels,
        gate: &[T],
        up: &[T],
        dst: &mut [T],
    ) -> Result<(), LengthError> {
        T::swiglu(kernels, gate, up, dst)
    }

    /// `up[i] = silu(gate[i]) * up[i]`.
    ///
    /// # Errors
    /// If the lengths differ; nothing is written.
    pub fn forward_in_place<T: Element>(
        self,
        kernels: &Kernels,
        gate: &[T],
        up: &mut [T],
    ) -> Result<(), LengthError> {
        T::swiglu_in_place(kernels, gate, up)
    }
}
