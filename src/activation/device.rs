//! Where activations are computed: one way to call them, on the CPU and on CUDA devices.

use super::Element;
use super::divide::{Part, TILE, divide};
use crate::kernels::{Activation, AlphaSums, LengthError, TileSums};
use crate::{Backend, Error};

/// Where activations are computed: a [`Backend`] on the CPU, or (feature `cuda`) `cuda::OnStream`,
/// a stream of a CUDA device. The bits are the same.
///
/// [`Elementwise`](super::Elementwise), [`Differentiable`](super::Differentiable) and
/// [`Swiglu`](super::Swiglu) are how these functions are called.
pub trait Device {
    /// Values that are read: `&[T]`, or a reference to a slice on the device.
    type Slice<'a, T: Element>;
    /// Values that are written: `&mut [T]`, or a reference to a slice on the device.
    type SliceMut<'a, T: Element>;
    /// The gradients of a layer's stored alphas: [`AlphaGradients`], or on the device.
    type AlphaGradients;
    /// What can go wrong.
    type Error;

    /// `y[i] = f(x[i])`.
    ///
    /// # Errors
    /// If the lengths differ, or the device does not have the function.
    fn forward<T: Element>(
        &self,
        f: &Activation,
        x: Self::Slice<'_, T>,
        y: Self::SliceMut<'_, T>,
    ) -> Result<(), Self::Error>;

    /// `x[i] = f(x[i])`.
    ///
    /// # Errors
    /// If the device does not have the function.
    fn forward_in_place<T: Element>(
        &self,
        f: &Activation,
        x: Self::SliceMut<'_, T>,
    ) -> Result<(), Self::Error>;

    /// `dx[i] = dy[i] * f'(x[i])`.
    ///
    /// # Errors
    /// If the lengths differ, or the device does not have the function's gradient.
    fn backward<T: Element>(
        &self,
        f: &Activation,
        x: Self::Slice<'_, T>,
        dy: Self::Slice<'_, T>,
        dx: Self::SliceMut<'_, T>,
    ) -> Result<(), Self::Error>;

    /// As [`Device::backward`], and the gradients of the stored alphas: `dy[i] * df/dalpha` summed
    /// over all elements, times `slopes`, the derivatives of `alpha_p` and `alpha_n` by the stored
    /// ones.
    ///
    /// # Errors
    /// As [`Device::backward`].
    fn backward_alphas<T: Element>(
        &self,
        f: &Activation,
        slopes: [f64; 2],
        x: Self::Slice<'_, T>,
        dy: Self::Slice<'_, T>,
        dx: Self::SliceMut<'_, T>,
    ) -> Result<Self::AlphaGradients, Self::Error>;

    /// `y[i] = silu(gate[i]) * up[i]` of `[gate, up]`.
    ///
    /// # Errors
    /// If the lengths differ.
    fn swiglu<T: Element>(
        &self,
        x: [Self::Slice<'_, T>; 2],
        y: Self::SliceMut<'_, T>,
    ) -> Result<(), Self::Error>;

    /// `up[i] = silu(gate[i]) * up[i]`.
    ///
    /// # Errors
    /// If the lengths differ.
    fn swiglu_in_place<T: Element>(
        &self,
        gate: Self::Slice<'_, T>,
        up: Self::SliceMut<'_, T>,
    ) -> Result<(), Self::Error>;

    /// The gradients of both values of [`Device::swiglu`].
    ///
    /// # Errors
    /// If the lengths differ.
    fn swiglu_backward<T: Element>(
        &self,
        x: [Self::Slice<'_, T>; 2],
        dy: Self::Slice<'_, T>,
        dx: [Self::SliceMut<'_, T>; 2],
    ) -> Result<(), Self::Error>;
}

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

/// Tiles that are divided among threads at a time: their sums are kept until all are done.
const ROW: usize = 256;

/// On the executor's threads, each slice in as many parts; nothing is written if lengths differ.
/// The activations are exact, of a backend with rough functions too.
impl Device for Backend<'_> {
    type Slice<'a, T: Element> = &'a [T];
    type SliceMut<'a, T: Element> = &'a mut [T];
    type AlphaGradients = AlphaGradients;
    type Error = Error;

    fn forward<T: Element>(&self, f: &Activation, x: &[T], y: &mut [T]) -> Result<(), Error> {
        divide(self.executor(), Part { from: [x], to: [y], sums: &mut [] }, &|part| {
            let Part { from: [x], to: [y], .. } = part;
            Ok(self.kernels.activate(f, x, y)?)
        })
    }

    fn forward_in_place<T: Element>(&self, f: &Activation, x: &mut [T]) -> Result<(), Error> {
        divide(self.executor(), Part { from: [], to: [x], sums: &mut [] }, &|part| {
            let [x] = part.to;
            self.kernels.activate_in_place(f, x);
            Ok(())
        })
    }

    fn backward<T: Element>(
        &self,
        f: &Activation,
        x: &[T],
        dy: &[T],
        dx: &mut [T],
    ) -> Result<(), Error> {
        divide(self.executor(), Part { from: [x, dy], to: [dx], sums: &mut [] }, &|part| {
            let Part { from: [x, dy], to: [dx], sums } = part;
            Ok(self.kernels.backward(f, x, dy, dx, sums)?)
        })
    }

    fn backward_alphas<T: Element>(
        &self,
        f: &Activation,
        slopes: [f64; 2],
        x: &[T],
        dy: &[T],
        dx: &mut [T],
    ) -> Result<AlphaGradients, Error> {
        for found in [dy.len(), dx.len()] {
            if found != x.len() {
                return Err(LengthError { expected: x.len(), found }.into());
            }
        }
        let mut tiles = TileSums::default();
        let row = ROW * TILE;
        for ((x, dy), dx) in x.chunks(row).zip(dy.chunks(row)).zip(dx.chunks_mut(row)) {
            let mut sums = [AlphaSums::default(); ROW];
            let (sums, _) = sums.split_at_mut(x.len().div_ceil(TILE));
            divide(self.executor(), Part { from: [x, dy], to: [dx], sums }, &|part| {
                let Part { from: [x, dy], to: [dx], sums } = part;
                Ok(self.kernels.backward(f, x, dy, dx, sums)?)
            })?;
            sums.iter().for_each(|&tile| tiles.push(tile));
        }
        let AlphaSums { p, n } = tiles.total();
        let [slope_p, slope_n] = slopes;
        Ok(AlphaGradients { draw_p: p * slope_p, draw_n: n * slope_n })
    }

    fn swiglu<T: Element>(&self, x: [&[T]; 2], y: &mut [T]) -> Result<(), Error> {
        divide(self.executor(), Part { from: x, to: [y], sums: &mut [] }, &|part| {
            let [y] = part.to;
            Ok(self.kernels.swiglu(part.from, y)?)
        })
    }

    fn swiglu_in_place<T: Element>(&self, gate: &[T], up: &mut [T]) -> Result<(), Error> {
        divide(self.executor(), Part { from: [gate], to: [up], sums: &mut [] }, &|part| {
            let Part { from: [gate], to: [up], .. } = part;
            Ok(self.kernels.swiglu_in_place(gate, up)?)
        })
    }

    fn swiglu_backward<T: Element>(
        &self,
        [gate, up]: [&[T]; 2],
        dy: &[T],
        dx: [&mut [T]; 2],
    ) -> Result<(), Error> {
        divide(self.executor(), Part { from: [gate, up, dy], to: dx, sums: &mut [] }, &|part| {
            let [gate, up, dy] = part.from;
            Ok(self.kernels.swiglu_backward([gate, up], dy, part.to)?)
        })
    }
}
