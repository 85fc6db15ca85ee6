//! Causal attention in one op: scores and probabilities stay inside.

use std::sync::OnceLock;
use std::vec;

use candle_core::{CpuStorage, CustomOp3, Device, Layout, Result, Shape, Tensor};

use super::causal_softmax::{softmax, softmax_gradient};
use super::sink::{from_storage, into_storage, with_values};
use super::{causal_softmax, is_fused};

/// `softmax(q * k^T / sqrt(head_dim)) * v` of positions up to the query's own.
///
/// `k` and `v` are `[groups, length, head_dim]`; `q` is `[groups, heads * length, head_dim]`, the
/// heads that share keys one after the other, as is the result.
///
/// # Errors
/// If the shapes do not fit together.
pub fn causal_attention(q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Tensor> {
    let scale = 1.0 / (q.dim(2)? as f64).sqrt();
    if is_fused(q) && q.dtype() == candle_core::DType::F32 {
        if !q.dim(1)?.is_multiple_of(k.dim(1)?.max(1)) {
            refuse!("causal_attention: {:?} queries of {:?}", q.shape(), k.shape());
        }
        return q.apply_op3(k, v, Attention { scale, probabilities: OnceLock::new() });
    }
    causal_softmax(&q.matmul(&k.t()?)?, scale)?.matmul(v)
}

struct Attention {
    scale: f64,
    /// Kept for the gradients.
    probabilities: OnceLock<Tensor>,
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "causal_attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        q_layout: &Layout,
        k: &CpuStorage,
        k_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (q, k) = (from_storage(q, q_layout)?, from_storage(k, k_layout)?);
        let v = from_storage(v, v_layout)?;
        let scores = q.matmul(&k.t()?)?;
        let probabilities = with_values(&scores, |scores| {
            let mut out = vec![0.0; scores.len()];
            softmax(scores, k.dim(1)?, self.scale as f32, &mut out);
            Ok(out)
        })?;
        let probabilities = Tensor::from_vec(probabilities, scores.shape(), &Device::Cpu)?;
        let out = into_storage(&probabilities.matmul(&v)?);
        // Set once: an op is applied once.
        let _ = self.probabilities.set(probabilities);
        out
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let Some(p) = self.probabilities.get() else {
            refuse!("causal_attention: gradients before values")
        };
        let (q, k, v, grad) = (q.detach(), k.detach(), v.detach(), grad.contiguous()?);
        let dv = p.t()?.matmul(&grad)?;
        let dp = grad.matmul(&v.t()?)?;
        let ds = with_values(p, |p| {
            with_values(&dp, |dp| {
                let mut out = vec![0.0; p.len()];
                softmax_gradient([p, dp], k.dim(1)?, self.scale as f32, &mut out);
                Ok(out)
            })
        })?;
        let ds = Tensor::from_vec(ds, p.shape(), &Device::Cpu)?;
        Ok((Some(ds.matmul(&k)?), Some(ds.t()?.matmul(&q)?), Some(dv)))
    }
}
