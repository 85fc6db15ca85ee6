//! What all layers of one forward pass share.

use candle_core::Tensor;

use crate::config::Config;
use crate::train::ops::{Rotation, Sink, linear_sunk};

/// Shape and rotation that all layers share in one forward pass.
pub(super) struct Pass<'a> {
    pub(super) config: &'a Config,
    pub(super) rotation: &'a Rotation,
    pub(super) sequences: usize,
    pub(super) length: usize,
    /// Where the gradients of weights go, if not to candle's store.
    pub(super) sink: Option<&'a Sink>,
}

impl Pass<'_> {
    /// `x * weight^T`, in the type of `x`.
    pub(super) fn linear(&self, x: &Tensor, weight: &Tensor) -> candle_core::Result<Tensor> {
        match self.sink {
            Some(sink) => linear_sunk(x, weight, sink),
            None => linear(x, weight),
        }
    }
}

/// `x * weight^T`, in the type of `x`.
pub(super) fn linear(x: &Tensor, weight: &Tensor) -> candle_core::Result<Tensor> {
    x.matmul(&weight.to_dtype(x.dtype())?.t()?)
}
