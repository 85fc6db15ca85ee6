//! Products with weights whose gradients go past candle's store.
//!
//! candle's store adds every gradient to zeros first: for weights, that is more passes over
//! memory than the product that made them. The ops here hand the gradients of weights to a
//! [`Sink`] instead, and to candle only those of activations.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{
    CpuStorage, CustomOp1, Layout, Result, Shape, Storage, Tensor, TensorId, WithDType,
};

use super::slice;

/// Gradients of weights, gathered during one backward pass.
#[derive(Clone, Debug, Default)]
pub struct Sink(Arc<Mutex<HashMap<TensorId, Tensor>>>);

impl Sink {
    fn add(&self, weight: TensorId, gradient: &Tensor) -> Result<()> {
        let mut gradients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let total = match gradients.get(&weight) {
            Some(before) => (before + gradient)?,
            None => gradient.clone(),
        };
        gradients.insert(weight, total.detach());
        Ok(())
    }

    /// The gradient of a weight, if there is one.
    pub fn take(&self, weight: &Tensor) -> Option<Tensor> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&weight.id())
    }
}

/// A weight as an op keeps it: without its place in candle's graph.
pub(super) struct Weight {
    id: TensorId,
    pub value: Tensor,
    sink: Sink,
}

impl Weight {
    pub fn new(weight: &Tensor, sink: &Sink) -> Self {
        Weight { id: weight.id(), value: weight.detach(), sink: sink.clone() }
    }

    /// `x * weight^T`.
    pub fn product(&self, x: &Tensor) -> Result<Tensor> {
        x.matmul(&self.value.t()?)
    }

    /// From the gradient of the product: that of `x` is returned, that of the weight goes to the
    /// sink.
    pub fn gradients(&self, x: &Tensor, grad: &Tensor) -> Result<Tensor> {
        self.add_gradient(&grad.t()?.matmul(x)?)?;
        grad.matmul(&self.value)
    }

    pub fn add_gradient(&self, gradient: &Tensor) -> Result<()> {
        self.sink.add(self.id, gradient)
    }
}

/// `x * weight^T`, `[rows, in]` and `[out, in]` to `[rows, out]`; f32 on the CPU.
///
/// # Errors
/// If the widths differ.
pub fn linear_sunk(x: &Tensor, weight: &Tensor, sink: &Sink) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Linear(Weight::new(weight, sink)))
}

struct Linear(Weight);

impl CustomOp1 for Linear {
    fn name(&self) -> &'static str {
        "linear_sunk"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        into_storage(&self.0.product(&from_storage(x, layout)?)?)
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        self.0.gradients(&x.detach(), &grad.contiguous()?).map(Some)
    }
}

/// A tensor outside of any graph with the values of a storage.
pub(super) fn from_storage(storage: &CpuStorage, layout: &Layout) -> Result<Tensor> {
    let values = slice::<f32>(storage, layout)?;
    Tensor::from_slice(values, layout.shape(), &candle_core::Device::Cpu)
}

/// The values of a tensor as what a custom op returns.
pub(super) fn into_storage(x: &Tensor) -> Result<(CpuStorage, Shape)> {
    with_values(x, |values| Ok((f32::to_cpu_storage(values), x.shape().clone())))
}

/// Calls `f` with the values of a contiguous tensor on the CPU.
pub(super) fn with_values<R>(x: &Tensor, f: impl FnOnce(&[f32]) -> Result<R>) -> Result<R> {
    let (storage, layout) = x.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => f(slice(storage, layout)?),
        _ => refuse!("this op computes on the CPU"),
    }
}
