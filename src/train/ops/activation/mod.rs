//! The MLP's activations, computed by the library's own kernels in both directions.
//!
//! On the CPU always; on CUDA in builds with `--cfg xielu_train_cuda`. That is not a feature:
//! `--all-features` must build without CUDA's toolkit, which candle's feature `cuda` needs.

#[cfg(xielu_train_cuda)]
mod cuda;
#[cfg(test)]
mod tests;

use std::vec;
use std::vec::Vec;

#[cfg(xielu_train_cuda)]
use candle_core::CudaStorage;
use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, DType, Layout, Result, Shape, Tensor, WithDType,
};

use super::functions::{BETA, Function};
use super::{by_dtype, exact, is_fused, slice};
use crate::kernels::ActivationKind;

/// The op of a function with learned alphas.
#[derive(Clone, Copy, Debug)]
struct Learned(ActivationKind);

/// xIELU of stored alphas, ideal form; see [`RawXielu::freeze`](crate::RawXielu::freeze).
///
/// # Errors
/// If an alpha is not one value, and those of candle.
pub fn xielu(x: &Tensor, alphas: &[Tensor; 2]) -> Result<Tensor> {
    learned(ActivationKind::Xielu, x, alphas)
}

/// xIPReLU of stored alphas; see [`Xiprelu::freeze`](crate::activation::Xiprelu::freeze).
///
/// # Errors
/// As [`xielu`].
pub fn xiprelu(x: &Tensor, alphas: &[Tensor; 2]) -> Result<Tensor> {
    learned(ActivationKind::Xiprelu, x, alphas)
}

/// A function of one value, with its stored alphas if it learns any.
///
/// # Errors
/// If alphas are missing or the function cannot be trained, and those of candle.
pub fn activate(f: ActivationKind, x: &Tensor, alphas: Option<&[Tensor; 2]>) -> Result<Tensor> {
    match (f, alphas) {
        (ActivationKind::Xielu | ActivationKind::Xiprelu, Some(alphas)) => learned(f, x, alphas),
        (ActivationKind::Relu2, _) => relu2(x),
        _ => refuse!("{f} without alphas cannot be trained"),
    }
}

/// `max(0, x)^2`.
///
/// # Errors
/// Those of candle.
pub fn relu2(x: &Tensor) -> Result<Tensor> {
    if has_kernel(x) { x.contiguous()?.apply_op1(Relu2) } else { x.relu()?.sqr() }
}

/// `silu(gate) * up`.
///
/// # Errors
/// If the shapes differ, and those of candle.
pub fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    if has_kernel(gate) {
        return gate.contiguous()?.apply_op2(&up.contiguous()?, Swiglu);
    }
    gate.silu()? * up
}

fn learned(f: ActivationKind, x: &Tensor, [raw_p, raw_n]: &[Tensor; 2]) -> Result<Tensor> {
    if has_kernel(x) {
        // Of the type of `x` on the CPU, in f32 beside any `x` on CUDA.
        let dtype = if x.device().is_cpu() { x.dtype() } else { DType::F32 };
        return x.contiguous()?.apply_op3(
            &raw_p.to_dtype(dtype)?,
            &raw_n.to_dtype(dtype)?,
            Learned(f),
        );
    }
    composed(f, x, [raw_p, raw_n])
}

/// Whether this library's kernels compute this tensor.
fn has_kernel(x: &Tensor) -> bool {
    #[cfg(xielu_train_cuda)]
    if cuda::has_kernel(x) {
        return true;
    }
    is_fused(x)
}

/// The formula in candle's operations, in f32 at least: what other devices compute, and what the
/// gradients are tested against.
fn composed(f: ActivationKind, x: &Tensor, [raw_p, raw_n]: [&Tensor; 2]) -> Result<Tensor> {
    let (exact, beta) = (exact(x), f64::from(BETA));
    let wide = x.to_dtype(exact)?;
    let [alpha_p, softplus_n] = [raw_p, raw_n].map(|raw| softplus(&raw.to_dtype(exact)?));
    let (positive, negative) = (wide.relu()?, wide.neg()?.relu()?.neg()?);
    let (alpha_n, curve) = match f {
        ActivationKind::Xiprelu => (softplus_n?, negative.sqr()?),
        _ => ((softplus_n? + beta)?, ((negative.exp()? - 1.0)? - &negative)?),
    };
    let curves = (positive.sqr()?.broadcast_mul(&alpha_p?)? + curve.broadcast_mul(&alpha_n)?)?;
    (curves + (wide * beta)?)?.to_dtype(x.dtype())
}

/// `ln(1 + e^raw)`.
fn softplus(raw: &Tensor) -> Result<Tensor> {
    raw.relu()? + (raw.abs()?.neg()?.exp()? + 1.0)?.log()?
}

/// The one element of a stored alpha.
fn scalar<T: WithDType>(storage: &CpuStorage, layout: &Layout) -> Result<T> {
    match slice::<T>(storage, layout)? {
        [value] => Ok(*value),
        other => refuse!("an alpha is one value, not {}", other.len()),
    }
}

impl CustomOp3 for Learned {
    fn name(&self) -> &'static str {
        "xielu"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        raw_p: &CpuStorage,
        p_layout: &Layout,
        raw_n: &CpuStorage,
        n_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        by_dtype!(x, T => {
            let raw = [scalar::<T>(raw_p, p_layout)?, scalar::<T>(raw_n, n_layout)?];
            let x = slice::<T>(x, layout)?;
            let mut y: Vec<T> = vec![0.0; x.len()];
            T::forward(self.0, raw, x, &mut y)?;
            Ok((T::to_cpu_storage_owned(y), layout.shape().clone()))
        })
    }

    #[cfg(xielu_train_cuda)]
    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        layout: &Layout,
        raw_p: &CudaStorage,
        p_layout: &Layout,
        raw_n: &CudaStorage,
        n_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        cuda::learned(self.0, (x, layout), [(raw_p, p_layout), (raw_n, n_layout)])
    }

    fn bwd(
        &self,
        x: &Tensor,
        raw_p: &Tensor,
        raw_n: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        #[cfg(xielu_train_cuda)]
        if x.device().is_cuda() {
            let (dx, [draw_p, draw_n]) =
                cuda::learned_gradients(self.0, x, [raw_p, raw_n], &grad.contiguous()?)?;
            return Ok((Some(dx), Some(draw_p), Some(draw_n)));
        }
        let raw = Tensor::cat(&[raw_p.flatten_all()?, raw_n.flatten_all()?], 0)?;
        let all = x.apply_op3_no_bwd(&raw, &grad.contiguous()?, &LearnedGradients(self.0))?;
        let n = x.elem_count();
        let of_alpha = |at, raw: &Tensor| all.narrow(0, n + at, 1)?.reshape(raw.shape());
        let dx = all.narrow(0, 0, n)?.reshape(x.shape())?;
        Ok((Some(dx), Some(of_alpha(0, raw_p)?), Some(of_alpha(1, raw_n)?)))
    }
}

/// Of x, both stored alphas, and the output's gradient: the gradients of x, then the alphas'.
struct LearnedGradients(ActivationKind);

impl CustomOp3 for LearnedGradients {
    fn name(&self) -> &'static str {
        "xielu_gradients"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        raw: &CpuStorage,
        raw_layout: &Layout,
        dy: &CpuStorage,
        dy_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        by_dtype!(x, T => {
            let &[raw_p, raw_n] = slice::<T>(raw, raw_layout)? else {
                refuse!("xielu has two stored alphas");
            };
            let (x, dy) = (slice::<T>(x, layout)?, slice::<T>(dy, dy_layout)?);
            let mut all: Vec<T> = vec![0.0; x.len() + 2];
            let (dx, alphas) = all.split_at_mut(x.len());
            let sums = T::backward(self.0, [raw_p, raw_n], x, dy, dx)?;
            alphas.copy_from_slice(&sums);
            let shape = all.len().into();
            Ok((T::to_cpu_storage_owned(all), shape))
        })
    }
}

struct Relu2;
struct Relu2Gradient;

impl CustomOp1 for Relu2 {
    fn name(&self) -> &'static str {
        "relu2"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        by_dtype!(x, T => {
            let x = slice::<T>(x, layout)?;
            let mut y: Vec<T> = vec![0.0; x.len()];
            T::forward(ActivationKind::Relu2, [0.0; 2], x, &mut y)?;
            Ok((T::to_cpu_storage_owned(y), layout.shape().clone()))
        })
    }

    #[cfg(xielu_train_cuda)]
    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        cuda::relu2((x, layout))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        #[cfg(xielu_train_cuda)]
        if x.device().is_cuda() {
            return cuda::relu2_gradient(x, &grad.contiguous()?).map(Some);
        }
        x.apply_op2_no_bwd(&grad.contiguous()?, &Relu2Gradient).map(Some)
    }
}

impl CustomOp2 for Relu2Gradient {
    fn name(&self) -> &'static str {
        "relu2_gradient"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        dy: &CpuStorage,
        dy_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        by_dtype!(x, T => {
            let (x, dy) = (slice::<T>(x, layout)?, slice::<T>(dy, dy_layout)?);
            let mut dx: Vec<T> = vec![0.0; x.len()];
            T::backward(ActivationKind::Relu2, [0.0; 2], x, dy, &mut dx)?;
            Ok((T::to_cpu_storage_owned(dx), layout.shape().clone()))
        })
    }
}

struct Swiglu;
/// Gradients of the gate, then of `up`.
struct SwigluGradients;

impl CustomOp2 for Swiglu {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn cpu_fwd(
        &self,
        gate: &CpuStorage,
        layout: &Layout,
        up: &CpuStorage,
        up_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        by_dtype!(gate, T => {
            let (gate, up) = (slice::<T>(gate, layout)?, slice::<T>(up, up_layout)?);
            let mut y: Vec<T> = vec![0.0; gate.len()];
            T::swiglu([gate, up], &mut y)?;
            Ok((T::to_cpu_storage_owned(y), layout.shape().clone()))
        })
    }

    #[cfg(xielu_train_cuda)]
    fn cuda_fwd(
        &self,
        gate: &CudaStorage,
        layout: &Layout,
        up: &CudaStorage,
        up_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        cuda::swiglu((gate, layout), (up, up_layout))
    }

    fn bwd(
        &self,
        gate: &Tensor,
        up: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        #[cfg(xielu_train_cuda)]
        if gate.device().is_cuda() {
            let [d_gate, d_up] = cuda::swiglu_gradients([gate, up, &grad.contiguous()?])?;
            return Ok((Some(d_gate), Some(d_up)));
        }
        let both = gate.apply_op3_no_bwd(up, &grad.contiguous()?, &SwigluGradients)?;
        let n = gate.elem_count();
        let part = |at| both.narrow(0, at, n)?.reshape(gate.shape());
        Ok((Some(part(0)?), Some(part(n)?)))
    }
}

impl CustomOp3 for SwigluGradients {
    fn name(&self) -> &'static str {
        "swiglu_gradients"
    }

    fn cpu_fwd(
        &self,
        gate: &CpuStorage,
        layout: &Layout,
        up: &CpuStorage,
        up_layout: &Layout,
        dy: &CpuStorage,
        dy_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        by_dtype!(gate, T => {
            let (gate, up) = (slice::<T>(gate, layout)?, slice::<T>(up, up_layout)?);
            let dy = slice::<T>(dy, dy_layout)?;
            let mut both: Vec<T> = vec![0.0; 2 * gate.len()];
            let (d_gate, d_up) = both.split_at_mut(gate.len());
            T::swiglu_backward([gate, up], dy, [d_gate, d_up])?;
            let shape = both.len().into();
            Ok((T::to_cpu_storage_owned(both), shape))
        })
    }
}
