//! Activations and gradients on slices: f32 by the kernels, f64 by the reference.

use candle_core::{Error, Result};

use super::real::Real;
use crate::activation::{
    Differentiable as _, Elementwise as _, Form, Relu2, Swiglu, Xiprelu, reference,
};
use crate::kernels::ActivationKind;
use crate::{Backend, RawXielu};

/// The slope at 0 of every model: not trained.
pub(super) const BETA: f32 = RawXielu::PAPER_INIT.beta;

/// What the ops compute, on slices of the same length; all methods fail if lengths differ, and for
/// functions that have no gradient kernel. `raw` are the stored alphas, where the function has
/// them.
pub(super) trait Function: Real {
    /// `y[i] = f(x[i])`.
    fn forward(kind: ActivationKind, raw: [Self; 2], x: &[Self], y: &mut [Self]) -> Result<()>;
    /// `dx[i] = dy[i] * f'(x[i])`, and the gradients of both stored alphas.
    fn backward(
        kind: ActivationKind,
        raw: [Self; 2],
        x: &[Self],
        dy: &[Self],
        dx: &mut [Self],
    ) -> Result<[Self; 2]>;
    /// `y[i] = silu(gate[i]) * up[i]` of `[gate, up]`.
    fn swiglu(x: [&[Self]; 2], y: &mut [Self]) -> Result<()>;
    /// Gradients of gate and up.
    fn swiglu_backward(x: [&[Self]; 2], dy: &[Self], dx: [&mut [Self]; 2]) -> Result<()>;
}

/// The fastest kernels, on the calling thread.
fn backend() -> Backend<'static> {
    Backend::default()
}

fn raw_xielu([alpha_p, alpha_n]: [f32; 2]) -> RawXielu {
    RawXielu { alpha_p, alpha_n, ..RawXielu::PAPER_INIT }
}

fn unknown<T>(kind: ActivationKind) -> Result<T> {
    refuse!("{kind} is none of the functions that are trained");
}

impl Function for f32 {
    fn forward(kind: ActivationKind, raw: [f32; 2], x: &[f32], y: &mut [f32]) -> Result<()> {
        let (raw, backend) = (raw_xielu(raw), backend());
        match kind {
            ActivationKind::Xielu => raw.freeze(Form::Ideal).forward(&backend, x, y),
            ActivationKind::Xiprelu => Xiprelu::freeze(&raw).forward(&backend, x, y),
            ActivationKind::Relu2 => Relu2.forward(&backend, x, y),
            other => return unknown(other),
        }
        .map_err(Error::wrap)
    }

    fn backward(
        kind: ActivationKind,
        raw: [f32; 2],
        x: &[f32],
        dy: &[f32],
        dx: &mut [f32],
    ) -> Result<[f32; 2]> {
        let (raw, backend) = (raw_xielu(raw), backend());
        let sums = match kind {
            ActivationKind::Xielu => raw.freeze(Form::Ideal).backward(&backend, x, dy, dx),
            ActivationKind::Xiprelu => Xiprelu::freeze(&raw).backward(&backend, x, dy, dx),
            ActivationKind::Relu2 => {
                return Relu2.backward(&backend, x, dy, dx).map(|()| [0.0; 2]).map_err(Error::wrap);
            }
            other => return unknown(other),
        };
        let sums = sums.map_err(Error::wrap)?;
        Ok([sums.draw_p as f32, sums.draw_n as f32])
    }

    fn swiglu(x: [&[f32]; 2], y: &mut [f32]) -> Result<()> {
        Swiglu.forward(&backend(), x, y).map_err(Error::wrap)
    }

    fn swiglu_backward(x: [&[f32]; 2], dy: &[f32], dx: [&mut [f32]; 2]) -> Result<()> {
        Swiglu.backward(&backend(), x, dy, dx).map_err(Error::wrap)
    }
}

/// Fails unless all slices have the length of the first.
fn same_lengths(expected: usize, others: &[usize]) -> Result<()> {
    match others.iter().find(|&&found| found != expected) {
        Some(found) => refuse!("expected {expected} values, found {found}"),
        None => Ok(()),
    }
}

fn xielu([raw_p, raw_n]: [f64; 2]) -> reference::Xielu {
    let beta = f64::from(BETA);
    let (alpha_p, softplus_n) = (reference::softplus(raw_p), reference::softplus(raw_n));
    reference::Xielu { alpha_p, alpha_n: beta + softplus_n, beta, eps: None }
}

fn xiprelu([raw_p, raw_n]: [f64; 2]) -> reference::Xiprelu {
    let (alpha_p, alpha_n) = (reference::softplus(raw_p), reference::softplus(raw_n));
    reference::Xiprelu { alpha_p, alpha_n, beta: BETA.into() }
}

/// `y[i] = f(x[i])`.
fn map(x: &[f64], y: &mut [f64], f: impl Fn(f64) -> f64) {
    y.iter_mut().zip(x).for_each(|(y, &x)| *y = f(x));
}

/// `dx[i] = dy[i] * slope`, and the sums of `dy[i]` times the derivatives by both alphas, from
/// what `f` says of `x[i]`.
fn chain([x, dy]: [&[f64]; 2], dx: &mut [f64], f: impl Fn(f64) -> (f64, [f64; 2])) -> [f64; 2] {
    let mut sums = [0.0; 2];
    for ((&x, &dy), dx) in x.iter().zip(dy).zip(dx) {
        let (slope, [by_p, by_n]) = f(x);
        *dx = dy * slope;
        sums[0] += dy * by_p;
        sums[1] += dy * by_n;
    }
    sums
}

impl Function for f64 {
    fn forward(kind: ActivationKind, raw: [f64; 2], x: &[f64], y: &mut [f64]) -> Result<()> {
        same_lengths(x.len(), &[y.len()])?;
        match kind {
            ActivationKind::Xielu => map(x, y, {
                let f = xielu(raw);
                move |x| f.forward(x)
            }),
            ActivationKind::Xiprelu => map(x, y, {
                let f = xiprelu(raw);
                move |x| f.forward(x)
            }),
            ActivationKind::Relu2 => map(x, y, reference::relu2),
            other => return unknown(other),
        }
        Ok(())
    }

    fn backward(
        kind: ActivationKind,
        raw: [f64; 2],
        x: &[f64],
        dy: &[f64],
        dx: &mut [f64],
    ) -> Result<[f64; 2]> {
        same_lengths(x.len(), &[dy.len(), dx.len()])?;
        let [p, n] = match kind {
            ActivationKind::Xielu => {
                let f = xielu(raw);
                chain([x, dy], dx, |x| (f.derivative(x), [f.d_alpha_p(x), f.d_alpha_n(x)]))
            }
            ActivationKind::Xiprelu => {
                let f = xiprelu(raw);
                chain([x, dy], dx, |x| {
                    let square = x * x;
                    let by_alphas = if x > 0.0 { [square, 0.0] } else { [0.0, square] };
                    (f.derivative(x), by_alphas)
                })
            }
            ActivationKind::Relu2 => {
                chain([x, dy], dx, |x| (reference::relu2_derivative(x), [0.0; 2]))
            }
            other => return unknown(other),
        };
        let [sigmoid_p, sigmoid_n] = raw.map(reference::sigmoid);
        Ok([p * sigmoid_p, n * sigmoid_n])
    }

    fn swiglu([gate, up]: [&[f64]; 2], y: &mut [f64]) -> Result<()> {
        same_lengths(gate.len(), &[up.len(), y.len()])?;
        for ((y, &gate), &up) in y.iter_mut().zip(gate).zip(up) {
            *y = reference::silu(gate) * up;
        }
        Ok(())
    }

    fn swiglu_backward(
        [gate, up]: [&[f64]; 2],
        dy: &[f64],
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
