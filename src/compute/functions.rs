//! Which exponential a decoder uses: there is one, unless feature `micromath` adds another.

use crate::kernels::{Activation, Epilogue, Kernels, OnlineSoftmax};

/// The functions between the products.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Functions {
    /// Those of the kernels and of libm.
    Exact,
    /// Those of [`rough`](crate::activation::rough).
    #[cfg(feature = "micromath")]
    Rough,
}

impl Functions {
    /// `e^x`.
    #[inline]
    pub(crate) fn exp(self, x: f32) -> f32 {
        match self {
            Functions::Exact => libm::expf(x),
            #[cfg(feature = "micromath")]
            Functions::Rough => super::rough::exp(x),
        }
    }

    /// Whether they are those of the kernels.
    #[inline]
    pub(crate) const fn are_exact(self) -> bool {
        matches!(self, Functions::Exact)
    }

    /// See [`OnlineSoftmax::add`].
    #[inline]
    pub(crate) fn softmax(
        self,
        kernels: &Kernels,
        state: &mut OnlineSoftmax,
        scores: &mut [f32],
        scale: f32,
    ) -> f32 {
        match self {
            Functions::Exact => kernels.softmax(state, scores, scale),
            #[cfg(feature = "micromath")]
            Functions::Rough => state.add(scores, scale, super::rough::exp),
        }
    }

    /// `act` after a product.
    pub(crate) fn epilogue(self, act: &Activation) -> Epilogue<'_> {
        match self {
            Functions::Exact => Epilogue::Activation(act),
            #[cfg(feature = "micromath")]
            Functions::Rough => match act {
                Activation::Xielu(_) => Epilogue::Custom(act, super::rough::activate),
                _ => Epilogue::Activation(act),
            },
        }
    }
}
