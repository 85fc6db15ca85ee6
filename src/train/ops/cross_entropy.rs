//! Cross-entropy of logits with the tokens that followed.

use std::sync::Arc;
use std::vec;
use std::vec::Vec;

use candle_core::{CpuStorage, CustomOp1, CustomOp3, D, Layout, Result, Shape, Tensor, WithDType};
use pulp::NullaryFnOnce;

use super::opaque::opaque;
use super::real::{Real, exp_of_differences, largest, sum, vectorized};
use super::{by_dtype, exact, is_fused, slice};

/// `-ln softmax(logits)[target]` of every row, `[tokens, vocab]` to `[tokens]`; in f32, or f64
/// for f64 logits.
///
/// # Errors
/// If there is not one target per row, or a target is beyond the vocabulary.
pub fn cross_entropy(logits: &Tensor, targets: &[u32]) -> Result<Tensor> {
    let (tokens, vocab) = logits.dims2()?;
    if targets.len() != tokens || targets.iter().any(|&t| t as usize >= vocab) {
        refuse!("cross_entropy: {} targets for {tokens} x {vocab}", targets.len());
    }
    if is_fused(logits) {
        return logits.contiguous()?.apply_op1(CrossEntropy { targets: targets.into() });
    }
    let targets = Tensor::from_slice(targets, (tokens, 1), logits.device())?;
    let same = targets.clone();
    opaque(
        logits,
        |logits| composed(logits, &targets),
        move |logits, _, grad| composed_gradient(logits, &same, grad),
    )
}

/// Differences from the largest logit of each row.
fn shifted(logits: &Tensor) -> Result<Tensor> {
    let logits = logits.to_dtype(exact(logits))?;
    logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?)
}

/// The same in candle's operations; targets are a column.
fn composed(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let shifted = shifted(logits)?;
    let log_sum = shifted.exp()?.sum_keepdim(D::Minus1)?.log()?;
    (log_sum - shifted.gather(targets, 1)?)?.squeeze(1)
}

/// `grad * (softmax(logits) - [i = target])`.
fn composed_gradient(logits: &Tensor, targets: &Tensor, grad: &Tensor) -> Result<Tensor> {
    let powers = shifted(logits)?.exp()?;
    let probabilities = powers.broadcast_div(&powers.sum_keepdim(D::Minus1)?)?;
    let minus_one = targets.ones_like()?.to_dtype(probabilities.dtype())?.neg()?;
    let differences = probabilities.scatter_add(targets, &minus_one, 1)?;
    differences.broadcast_mul(&grad.unsqueeze(1)?)?.to_dtype(logits.dtype())
}

struct CrossEntropy {
    targets: Arc<[u32]>,
}

struct CrossEntropyGradient {
    targets: Arc<[u32]>,
}

struct Forward<'a, T> {
    logits: &'a [T],
    targets: &'a [u32],
    vocab: usize,
    powers: &'a mut [T],
    nll: &'a mut [T],
}

struct Backward<'a, T> {
    logits: &'a [T],
    targets: &'a [u32],
    vocab: usize,
    nll: &'a [T],
    grad: &'a [T],
    dlogits: &'a mut [T],
}

impl<T: Real> NullaryFnOnce for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let rows = self.logits.chunks_exact(self.vocab).zip(self.targets);
        for ((logits, target), nll) in rows.zip(self.nll) {
            let largest = largest(logits);
            exp_of_differences(logits, largest, T::one(), self.powers);
            let log_sum = T::from_f64(sum(self.powers).to_f64().ln());
            *nll = log_sum - (logits[*target as usize] - largest);
        }
    }
}

impl<T: Real> NullaryFnOnce for Backward<'_, T> {
    type Output = ();

    /// `dlogits = grad * (softmax(logits) - [i = target])`; the sum of the softmax is in the
    /// result: `ln softmax = logits - logits[target] - nll`.
    #[inline(always)]
    fn call(self) {
        let rows = self.logits.chunks_exact(self.vocab).zip(self.targets);
        let rows = rows.zip(self.nll.iter().zip(self.grad));
        let out = self.dlogits.chunks_exact_mut(self.vocab);
        for (((logits, target), (nll, grad)), out) in rows.zip(out) {
            let log_sum = logits[*target as usize] + *nll;
            exp_of_differences(logits, log_sum, T::one(), out);
            out[*target as usize] -= T::one();
            for d in out {
                *d *= *grad;
            }
        }
    }
}

/// `-ln softmax(logits)[target]` of rows as long as the vocabulary, one for each target.
pub(super) fn losses<T: Real>(logits: &[T], targets: &[u32], nll: &mut [T]) {
    let vocab = logits.len() / targets.len().max(1);
    let mut powers = vec![T::zero(); vocab];
    vectorized(Forward { logits, targets, vocab, powers: &mut powers, nll });
}

/// Gradients of the logits from the losses and their gradients.
pub(super) fn losses_gradient<T: Real>(
    logits: &[T],
    targets: &[u32],
    [nll, grad]: [&[T]; 2],
    dlogits: &mut [T],
) {
    let vocab = logits.len() / targets.len().max(1);
    vectorized(Backward { logits, targets, vocab, nll, grad, dlogits });
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        by_dtype!(logits, T => {
            let logits = slice::<T>(logits, layout)?;
            let mut nll: Vec<T> = vec![0.0; self.targets.len()];
            losses(logits, &self.targets, &mut nll);
            Ok((WithDType::to_cpu_storage_owned(nll), self.targets.len().into()))
        })
    }

    fn bwd(&self, logits: &Tensor, nll: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let op = CrossEntropyGradient { targets: self.targets.clone() };
        logits.apply_op3_no_bwd(nll, &grad.contiguous()?, &op).map(Some)
    }
}

impl CustomOp3 for CrossEntropyGradient {
    fn name(&self) -> &'static str {
        "cross_entropy_gradient"
    }

    fn cpu_fwd(
        &self,
        logits: &CpuStorage,
        layout: &Layout,
        nll: &CpuStorage,
        nll_layout: &Layout,
        grad: &CpuStorage,
        grad_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        by_dtype!(logits, T => {
            let (logits, nll) = (slice::<T>(logits, layout)?, slice::<T>(nll, nll_layout)?);
            let grad = slice::<T>(grad, grad_layout)?;
            let mut dlogits: Vec<T> = vec![0.0; logits.len()];
            losses_gradient(logits, &self.targets, [nll, grad], &mut dlogits);
            Ok((WithDType::to_cpu_storage_owned(dlogits), layout.shape().clone()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::opaque::value_and_gradient;
    use super::*;
    use candle_core::Device;

    #[test]
    fn composed_operations_equal_the_fused_ones() {
        let logits: Vec<f64> = (0..4 * 9).map(|i| f64::from(i * 23 % 31) * 0.3 - 4.0).collect();
        let logits = Tensor::from_vec(logits, (4, 9), &Device::Cpu).unwrap();
        let targets = [8, 0, 3, 3u32];
        let column = Tensor::from_slice(&targets, (4, 1), &Device::Cpu).unwrap();
        let fused = value_and_gradient(&logits, |logits| cross_entropy(logits, &targets));
        let opaque = value_and_gradient(&logits, |logits| {
            let same = column.clone();
            let gradient = move |x: &Tensor, _: &Tensor, g: &Tensor| composed_gradient(x, &same, g);
            opaque(logits, |logits| composed(logits, &column), gradient)
        });
        let by_candle = value_and_gradient(&logits, |logits| composed(logits, &column));
        for other in [opaque, by_candle] {
            for (a, b) in fused.iter().flatten().zip(other.iter().flatten()) {
                assert!((a - b).abs() < 1e-14, "{a} {b}");
            }
        }
    }
}
