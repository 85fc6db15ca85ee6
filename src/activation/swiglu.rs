//! The gated activation of Llama models.

use super::{Device, Element};

/// `f(gate, up) = silu(gate) * up`, called as the functions of one value are, with `[gate, up]` in
/// the place of `x`.
///
/// Source: Shazeer, GLU Variants Improve Transformer, arXiv 2002.05202, equation 5.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swiglu;

impl Swiglu {
    /// `y[i] = silu(gate[i]) * up[i]`.
    ///
    /// # Errors
    /// If the lengths differ; nothing is written. On CUDA also if a slice is of another context or
    /// the launch fails.
    pub fn forward<D: Device, T: Element>(
        self,
        device: &D,
        x: [D::Slice<'_, T>; 2],
        y: D::SliceMut<'_, T>,
    ) -> Result<(), D::Error> {
        device.swiglu(x, y)
    }

    /// `up[i] = silu(gate[i]) * up[i]`.
    ///
    /// # Errors
    /// As [`Swiglu::forward`].
    pub fn forward_in_place<D: Device, T: Element>(
        self,
        device: &D,
        gate: D::Slice<'_, T>,
        up: D::SliceMut<'_, T>,
    ) -> Result<(), D::Error> {
        device.swiglu_in_place(gate, up)
    }

    /// `d_gate[i] = dy[i] * up[i] * silu'(gate[i])` and `d_up[i] = dy[i] * silu(gate[i])`.
    ///
    /// # Errors
    /// As [`Swiglu::forward`].
    pub fn backward<D: Device, T: Element>(
        self,
        device: &D,
        x: [D::Slice<'_, T>; 2],
        dy: D::Slice<'_, T>,
        dx: [D::SliceMut<'_, T>; 2],
    ) -> Result<(), D::Error> {
        device.swiglu_backward(x, dy, dx)
    }
}
