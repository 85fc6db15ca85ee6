//! Activations and gradients on slices: f32 by the kernels, f64 by the reference.

use candle_core::{Error, Result};

use super::real::Real;
use crate::activation::{self, Elementwise, reference};
use crate::{Backend, RawXielu};

/// An activation with stored alphas.
#[derive(Clone, Copy, Debug)]
pub(super) enum Learned {
    Xielu,
    Xiprelu,
}

impl Learned {
    /// The slope at 0 of every model: not trained.
    pub fn beta(self) -> f64 {
        RawXielu::PAPER_INIT.beta.into()
    }

    fn reference(self, [raw_p, raw_n]: [f64; 2]) -> Reference {
        let (alpha_p, softplus_n) = (reference::softplus(raw_p), reference::softplus(raw_n));
        let beta = self.beta();
        match self {
            Learned::Xielu => Reference::Xielu(reference::Xielu {
                alpha_p,
                alpha_n: beta + softplus_n,
                beta,
                eps: None,
            }),
            Learned::Xiprelu => {
                Reference::Xiprelu(reference::Xiprelu { alpha_p, alpha_n: softplus_n, beta })
            }
        }
    }
}

enum Reference {
    Xielu(reference::Xielu),
    Xiprelu(reference::Xiprelu),
}

/// What the ops compute, on slices of the same length; all methods fail if lengths differ.
pub(super) trait Function: Real {
    /// `y[i] = f(x[i])`.
    fn learned(f: Learned, raw: [Self; 2], x: &[Self], y: &mut [Self]) -> Result<()>;
    /// `dx[i] = dy[i] * f'(x[i])` from `[x, dy]`, and the gradients of both stored alphas.
    fn learned_gradients(
        f: Learned,
        raw: [Self; 2],
        from: [&[Self]; 2],
        dx: &mut [Self],
    ) -> Result<[Self; 2]>;
    /// `y[i] = max(0, x[i])^2`.
    fn relu2(x: &[Self], y: &mut [Self]) -> Result<()>;
    /// `dx[i] = dy[i] * 2*max(0, x[i])` from `[x, dy]`.
    fn relu2_gradient(from: [&[Self]; 2], dx: &mut [Self]) -> Result<()>;
    /// `y[i] = silu(gate[i]) * up[i]` from `[gate, up]`.
    fn swiglu(from: [&[Self]; 2], y: &mut [Self]) -> Result<()>;
    /// Gradients of gate and up from `[gate, up, dy]`.
    fn swiglu_gradients(from: [&[Self]; 3], to: [&mut [Self]; 2]) -> Result<()>;
}

/// The fastest kernels, on the calling thread.
fn backend() -> Backend<'static> {
    Backend::default()
}

fn raw_xielu([alpha_p, alpha_n]: [f32; 2]) -> RawXielu {
    RawXielu { alpha_p, alpha_n, ..RawXielu::PAPER_INIT }
}

impl Function for f32 {
    fn learned(f: Learned, raw: [f32; 2], x: &[f32], y: &mut [f32]) -> Result<()> {
        let (raw, kernels) = (raw_xielu(raw), backend().kernels);
        match f {
            Learned::Xielu => raw.freeze().forward(&kernels, x, y),
            Learned::Xiprelu => raw.freeze_xiprelu().forward(&kernels, x, y),
        }
        .map_err(Error::wrap)
    }

    fn learned_gradients(
        f: Learned,
        raw: [f32; 2],
        from: [&[f32]; 2],
        dx: &mut [f32],
    ) -> Result<[f32; 2]> {
        let (raw, backend) = (raw_xielu(raw), backend());
        let sums = match f {
            Learned::Xielu => raw.backward(&backend, from, dx),
            Learned::Xiprelu => raw.backward_xiprelu(&backend, from, dx),
        };
        let sums = sums.map_err(Error::wrap)?;
        Ok([sums.draw_p as f32, sums.draw_n as f32])
    }

    fn relu2(x: &[f32], y: &mut [f32]) -> Result<()> {
        activation::Relu2.forward(&backend().kernels, x, y).map_err(Error::wrap)
    }

    fn relu2_gradient(from: [&[f32]; 2], dx: &mut [f32]) -> Result<()> {
        activation::Relu2.backward(&backend(), from, dx).map_err(Error::wrap)
    }

    fn swiglu([gate, up]: [&[f32]; 2], y: &mut [f32]) -> Result<()> {
        let kernels = backend().kernels;
        activation::Swiglu.forward(&kernels, gate, up, y).map_err(Error::wrap)
    }

    fn swiglu_gradients(from: [&[f32]; 3], to: [&mut [f32]; 2]) -> Result<()> {
        activation::Swiglu.backward(&backend(), from, to).map_err(Error::wrap)
    }
}

/// Fails unless all slices have the length of the first.
fn same_lengths(expected: usize, others: &[usize]) -> Result<()> {
    match others.iter().find(|&&found| found != expected) {
        Some(found) => refuse!("expected {expected} values, found {found}"),
        None => Ok(()),
    }
}

impl Function for f64 {
    fn learned(f: Learned, raw: [f64; 2], x: &[f64], y: &mut [f64]) -> Result<()> {
        same_lengths(x.len(), &[y.len()])?;
        let f = f.reference(raw);
        for (y, &x) in y.iter_mut().zip(x) {
            *y = match &f {
                Reference::Xielu(f) => f.forward(x),
                Reference::Xiprelu(f) => f.forward(x),
            };
        }
        Ok(())
    }

    fn learned_gradients(
        f: Learned,
        raw: [f64; 2],
        [x, dy]: [&[f64]; 2],
        dx: &mut [f64],
    ) -> Result<[f64; 2]> {
        same_lengths(x.len(), &[dy.len(), dx.len()])?;
        let f = f.reference(raw);
        let mut sums = [0.0; 2];
        for ((&x, &dy), dx) in x.iter().zip(dy).zip(dx) {
            let (slope, by_alphas) = match &f {
                Reference::Xielu(f) => (f.derivative(x), [f.d_alpha_p(x), f.d_alpha_n(x)]),
                Reference::Xiprelu(f) if x > 0.0 => (f.derivative(x), [x * x, 0.0]),
                Reference::Xiprelu(f) => (f.derivative(x), [0.0, x * x]),
            };
            *dx = dy * slope;
            sums[0] += dy * by_alphas[0];
            sums[1] += dy * by_alphas[1];
        }
        let [sigmoid_p, sigmoid_n] = raw.map(reference::sigmoid);
        Ok([sums[0] * sigmoid_p, sums[1] * sigmoid_n])
    }

    fn relu2(x: &[f64], y: &mut [f64]) -> Result<()> {
        same_lengths(x.len(), &[y.len()])?;
        y.iter_mut().zip(x).for_each(|(y, &x)| *y = reference::relu2(x));
        Ok(())
    }

    fn relu2_gradient([x, dy]: [&[f64]; 2], dx: &mut [f64]) -> Result<()> {
        same_lengths(x.len(), &[dy.len(), dx.len()])?;
        for ((dx, &x), &dy) in dx.iter_mut().zip(x).zip(dy) {
            *dx = dy * reference::relu2_derivative(x);
        }
        Ok(())
    }

    fn swiglu([gate, up]: [&[f64]; 2], y: &mut [f64]) -> Result<()> {
        same_lengths(gate.len(), &[up.len(), y.len()])?;
        for ((y, &gate), &up) in y.iter_mut().zip(gate).zip(up) {
            *y = reference::silu(gate) * up;
        }
        Ok(())
    }

    fn swiglu_gradients(
        [gate, up, dy]: [&[f64]; 3],
        [d_gate, d_up]: [&mut [f64]; 2],
    ) -> Result<()> {
        same_lengths(gate.len(), &[up.len(), dy.len(), d_gate.len(), d_up.len()])?;
        let to = d_gate.iter_mut().zip(d_up);
        for (((d_gate, d_up), &gate), (&up, &dy)) in to.zip(gate).zip(up.iter().zip(dy)) {
            *d_gate = dy * up * reference::silu_derivative(gate);
            *d_up = dy * reference::silu(gate);
        }
        Ok(())
    }
}
