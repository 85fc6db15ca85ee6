//! The output head and its loss in one op: logits stay inside.

use std::sync::{Arc, OnceLock};
use std::vec;

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Result, Shape, Tensor, WithDType};

use super::cross_entropy::{losses, losses_gradient};
use super::sink::{Sink, Weight, from_storage, with_values};

/// `-ln softmax(x * weight^T)[target]` of every row; f32 on the CPU.
///
/// # Errors
/// If there is not one target per row, or one is beyond the rows of `weight`.
pub fn head_loss(x: &Tensor, weight: &Tensor, targets: &[u32], sink: &Sink) -> Result<Tensor> {
    let vocab = weight.dim(0)?;
    if targets.len() != x.dim(0)? || targets.iter().any(|&t| t as usize >= vocab) {
        refuse!("head_loss: {} targets for {:?} x {vocab}", targets.len(), x.shape());
    }
    let op = HeadLoss {
        weight: Weight::new(weight, sink),
        targets: targets.into(),
        logits: OnceLock::new(),
    };
    x.contiguous()?.apply_op1(op)
}

struct HeadLoss {
    weight: Weight,
    targets: Arc<[u32]>,
    /// Kept for the gradients.
    logits: OnceLock<Tensor>,
}

impl CustomOp1 for HeadLoss {
    fn name(&self) -> &'static str {
        "head_loss"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let logits = self.weight.product(&from_storage(x, layout)?)?;
        let mut nll = vec![0.0; self.targets.len()];
        with_values(&logits, |logits| {
            losses(logits, &self.targets, &mut nll);
            Ok(())
        })?;
        // Set once: an op is applied once.
        let _ = self.logits.set(logits);
        Ok((f32::to_cpu_storage_owned(nll), self.targets.len().into()))
    }

    fn bwd(&self, x: &Tensor, nll: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let Some(logits) = self.logits.get() else { refuse!("head_loss: gradients before values") };
        let mut dlogits = vec![0.0; logits.elem_count()];
        with_values(logits, |logits| {
            with_values(nll, |nll| {
                with_values(&grad.contiguous()?, |grad| {
                    losses_gradient(logits, &self.targets, [nll, grad], &mut dlogits);
                    Ok(())
                })
            })
        })?;
        let dlogits = Tensor::from_vec(dlogits, logits.shape(), &Device::Cpu)?;
        self.weight.gradients(&x.detach(), &dlogits).map(Some)
    }
}
