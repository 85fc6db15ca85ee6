//! Functions composed of candle's operations, with gradients of their own: nothing that is
//! computed on the way is kept for them.

use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, CudaStorage, CustomOp1, Layout, Result, Shape, Storage, Tensor};

/// `f(x)`, whose gradient by `x` is `gradient(x, f(x), gradient by f(x))`.
pub(super) fn opaque<G>(
    x: &Tensor,
    f: impl FnOnce(&Tensor) -> Result<Tensor>,
    gradient: G,
) -> Result<Tensor>
where
    G: Fn(&Tensor, &Tensor, &Tensor) -> Result<Tensor> + Send + Sync + 'static,
{
    let y = f(&x.detach())?;
    x.apply_op1(Opaque { y: Mutex::new(Some(y)), gradient })
}

/// An op that computes nothing any more.
struct Opaque<G> {
    y: Mutex<Option<Tensor>>,
    gradient: G,
}

impl<G> Opaque<G> {
    /// The values, once: an op is applied once.
    fn take(&self) -> Result<(Storage, Shape)> {
        match self.y.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(y) => {
                let (storage, layout) = y.storage_and_layout();
                Ok((storage.try_clone(layout)?, layout.shape().clone()))
            }
            None => refuse!("this op has been applied before"),
        }
    }
}

impl<G: Fn(&Tensor, &Tensor, &Tensor) -> Result<Tensor>> CustomOp1 for Opaque<G> {
    fn name(&self) -> &'static str {
        "opaque"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        match self.take()? {
            (Storage::Cpu(storage), shape) => Ok((storage, shape)),
            _ => refuse!("x is on the CPU and f(x) is not"),
        }
    }

    fn cuda_fwd(&self, _: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        match self.take()? {
            (Storage::Cuda(storage), shape) => Ok((storage, shape)),
            _ => refuse!("x is on a CUDA device and f(x) is not"),
        }
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        (self.gradient)(&x.detach(), &y.detach(), &grad.contiguous()?.detach()).map(Some)
    }
}

/// The elements of `f(x)`, and the gradient by `x` of their sum with different weights.
#[cfg(test)]
pub(super) fn value_and_gradient(
    x: &Tensor,
    f: impl FnOnce(&Tensor) -> Result<Tensor>,
) -> [std::vec::Vec<f64>; 2] {
    let x = candle_core::Var::from_tensor(x).unwrap();
    let y = f(&x).unwrap();
    let weights = (0..y.elem_count()).map(|i| (i % 7) as f64 - 2.5).collect();
    let weights = Tensor::from_vec(weights, y.shape(), y.device()).unwrap();
    let grads = (&y * weights).unwrap().sum_all().unwrap().backward().unwrap();
    [&y, grads.get(&x).unwrap()].map(|t| t.flatten_all().unwrap().to_vec1().unwrap())
}
