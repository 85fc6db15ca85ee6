//! Activations on slices of any storage type.

use super::{Device, Element};
use crate::kernels::Activation;

/// A function of one value with its parameters: everything that converts into [`Activation`].
///
/// Every instruction set, and CUDA, gives the same bits. NaN in gives NaN out, always the quiet NaN
/// `0x7fc00000` (`0x7fc0` in bf16, `0x7e00` in f16).
pub trait Elementwise: Copy + Into<Activation> {
    /// `f(x)`; the same bits as the slice forms.
    fn apply(self, x: f32) -> f32 {
        let f: Activation = self.into();
        Activation::apply(f, x)
    }

    /// `y[i] = f(x[i])`.
    ///
    /// # Errors
    /// If the lengths differ; nothing is written. On CUDA also if it has no kernel for the
    /// function, a slice is of another context or the launch fails.
    fn forward<D: Device, T: Element>(
        self,
        device: &D,
        x: D::Slice<'_, T>,
        y: D::SliceMut<'_, T>,
    ) -> Result<(), D::Error> {
        device.forward(&self.into(), x, y)
    }

    /// `x[i] = f(x[i])`.
    ///
    /// # Errors
    /// None on the CPU; on CUDA those of [`Elementwise::forward`].
    fn forward_in_place<D: Device, T: Element>(
        self,
        device: &D,
        x: D::SliceMut<'_, T>,
    ) -> Result<(), D::Error> {
        device.forward_in_place(&self.into(), x)
    }
}

impl<A: Copy + Into<Activation>> Elementwise for A {}

/// A function of one value that has gradient kernels: [`Xielu`](super::Xielu),
/// [`Xiprelu`](super::Xiprelu) and [`Relu2`](super::Relu2).
pub trait Differentiable: Elementwise {
    /// What is computed beside the gradient of `x`: [`Device::AlphaGradients`] where there are
    /// learned alphas, or nothing.
    type Gradients<D: Device>;

    /// `dx[i] = dy[i] * f'(x[i])`, and the gradients of the stored alphas.
    ///
    /// # Errors
    /// If the lengths differ; nothing is written. On CUDA also if a slice is of another context or
    /// a launch fails.
    fn backward<D: Device, T: Element>(
        self,
        device: &D,
        x: D::Slice<'_, T>,
        dy: D::Slice<'_, T>,
        dx: D::SliceMut<'_, T>,
    ) -> Result<Self::Gradients<D>, D::Error>;
}

/// [`Differentiable`] of a type with `coefficients` and the `raw` alphas that they are made of.
macro_rules! learned {
    ($f:ty) => {
        impl $f {
            /// The derivatives of `alpha_p` and `alpha_n` by the stored ones: `sigmoid(raw)`.
            pub fn alpha_slopes(&self) -> [f64; 2] {
                self.raw.map(|raw| $crate::numeric::softplus::sigmoid(raw.into()))
            }
        }

        impl $crate::activation::Differentiable for $f {
            type Gradients<D: $crate::activation::Device> = D::AlphaGradients;

            fn backward<D: $crate::activation::Device, T: $crate::activation::Element>(
                self,
                device: &D,
                x: D::Slice<'_, T>,
                dy: D::Slice<'_, T>,
                dx: D::SliceMut<'_, T>,
            ) -> Result<D::AlphaGradients, D::Error> {
                device.backward_alphas(&self.into(), self.alpha_slopes(), x, dy, dx)
            }
        }
    };
}
pub(super) use learned;
