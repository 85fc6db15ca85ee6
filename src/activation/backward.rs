//! Gradients on slices: of the input, and of the stored alphas of a layer.

use super::divide::{Part, TILE, divide};
use super::reference::sigmoid;
use super::{Element, RawXielu, Relu2, Swiglu, Xielu};
use crate::Backend;
use crate::kernels::{AlphaSums, LearnedActivation, LengthError, TileSums, XieluCoefficients};

/// Tiles that are divided among threads at a time: their sums are kept until all are done.
const ROW: usize = 256;

/// What one layer's stored alphas have gathered over all elements.
///
/// The elements are added up in a fixed order: the same bits for any number of threads, on every
/// instruction set and, rounded to f32, on CUDA devices.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AlphaGradients {
    /// By the stored `alpha_p`: `sigmoid(raw_p) * sum(dy * x^2)` over `x > 0`.
    pub draw_p: f64,
    /// By the stored `alpha_n`: `sigmoid(raw_n) * sum(dy * (e^x - 1 - x))` over `x <= 0`;
    /// of `dy * x^2` for xIPReLU.
    pub draw_n: f64,
}

impl RawXielu {
    /// `dx[i] = dy[i] * f'(x[i])` of the ideal function, and the gradients of the stored alphas;
    /// `f'(x) = 2*alpha_p*x + beta` for `x > 0`, `alpha_n*(e^x - 1) + beta` otherwise.
    ///
    /// # Errors
    /// If the lengths differ; nothing is written.
    pub fn backward<T: Element>(
        &self,
        backend: &Backend<'_>,
        [x, dy]: [&[T]; 2],
        dx: &mut [T],
    ) -> Result<AlphaGradients, LengthError> {
        self.gradients(backend, self.freeze().into(), [x, dy], dx)
    }

    /// The same of [`RawXielu::freeze_with_eps`], as autograd does: for `eps < x <= 0` the
    /// exponential is a constant, and `f'(x) = beta - alpha_n`.
    ///
    /// # Errors
    /// As [`RawXielu::backward`].
    pub fn backward_with_eps<T: Element>(
        &self,
        backend: &Backend<'_>,
        [x, dy]: [&[T]; 2],
        dx: &mut [T],
    ) -> Result<AlphaGradients, LengthError> {
        self.gradients(backend, self.freeze_with_eps().into(), [x, dy], dx)
    }

    /// The same of [`RawXielu::freeze_xiprelu`]: `f'(x) = 2*alpha*x + beta`.
    ///
    /// # Errors
    /// As [`RawXielu::backward`].
    pub fn backward_xiprelu<T: Element>(
        &self,
        backend: &Backend<'_>,
        [x, dy]: [&[T]; 2],
        dx: &mut [T],
    ) -> Result<AlphaGradients, LengthError> {
        let f = self.freeze_xiprelu();
        let [alpha_p, alpha_n, beta] = [f.alpha_p(), f.alpha_n(), f.beta()];
        let f = LearnedActivation::Xiprelu { alpha_p, alpha_n, beta };
        self.gradients(backend, f, [x, dy], dx)
    }

    fn gradients<T: Element>(
        &self,
        backend: &Backend<'_>,
        f: LearnedActivation,
        [x, dy]: [&[T]; 2],
        dx: &mut [T],
    ) -> Result<AlphaGradients, LengthError> {
        for found in [dy.len(), dx.len()] {
            if found != x.len() {
                return Err(LengthError { expected: x.len(), found });
            }
        }
        let mut tiles = TileSums::default();
        let row = ROW * TILE;
        for ((x, dy), dx) in x.chunks(row).zip(dy.chunks(row)).zip(dx.chunks_mut(row)) {
            let mut sums = [AlphaSums::default(); ROW];
            let (sums, _) = sums.split_at_mut(x.len().div_ceil(TILE));
            let whole = Part { from: [x, dy], to: [dx], sums };
            divide(backend.executor(), whole, &|Part { from, to: [dx], sums }| {
                T::backward(&backend.kernels, &f, from, dx, sums)
            })?;
            sums.iter().for_each(|&tile| tiles.push(tile));
        }
        let AlphaSums { p, n } = tiles.total();
        let [sigmoid_p, sigmoid_n] = [self.alpha_p, self.alpha_n].map(|raw| sigmoid(raw.into()));
        Ok(AlphaGradients { draw_p: p * sigmoid_p, draw_n: n * sigmoid_n })
    }
}

impl From<Xielu> for LearnedActivation {
    fn from(f: Xielu) -> Self {
        let Xielu { alpha_p, alpha_n, beta, eps, .. } = f;
        LearnedActivation::Xielu(XieluCoefficients { alpha_p, alpha_n, beta, eps })
    }
}

impl Relu2 {
    /// `dx[i] = dy[i] * 2*max(0, x[i])`.
    ///
    /// # Errors
    /// If the lengths differ; nothing is written.
    pub fn backward<T: Element>(
        self,
        backend: &Backend<'_>,
        [x, dy]: [&[T]; 2],
        dx: &mut [T],
    ) -> Result<(), LengthError> {
        divide(backend.executor(), Part { from: [x, dy], to: [dx], sums: &mut [] }, &|part| {
            let [dx] = part.to;
            T::relu2_backward(&backend.kernels, part.from, dx)
        })
    }
}

impl Swiglu {
    /// `d_gate[i] = dy[i] * up[i] * silu'(gate[i])` and `d_up[i] = dy[i] * silu(gate[i])`, from
    /// `[gate, up, dy]` to `[d_gate, d_up]`.
    ///
    /// # Errors
    /// If the lengths differ; nothing is written.
    pub fn backward<T: Element>(
        self,
        backend: &Backend<'_>,
        from: [&[T]; 3],
        to: [&mut [T]; 2],
    ) -> Result<(), LengthError> {
        divide(backend.executor(), Part { from, to, sums: &mut [] }, &|part| {
            T::swiglu_backward(&backend.kernels, part.from, part.to)
        })
    }
}
