//! Softmax of attention scores, of positions up to the query's own.

use std::vec;
use std::vec::Vec;

use candle_core::{CpuStorage, CustomOp1, CustomOp2, D, Layout, Result, Shape, Tensor, WithDType};
use pulp::NullaryFnOnce;

use super::opaque::opaque;
use super::real::{Real, dot, exp_of_differences, largest, sum, vectorized};
use super::{by_dtype, exact, is_fused, slice};

/// `softmax(scale * scores)` over the last dimension, `[.., queries, length]`: row `r` of the
/// queries is position `r mod length` (several heads share the keys), and later positions get 0.
///
/// # Errors
/// If the number of queries is not a multiple of the length.
pub fn causal_softmax(scores: &Tensor, scale: f64) -> Result<Tensor> {
    let length = scores.dim(D::Minus1)?;
    let queries = scores.dim(D::Minus2)?;
    if length == 0 || !queries.is_multiple_of(length) {
        refuse!("causal_softmax: {queries} queries of {length} positions");
    }
    if is_fused(scores) {
        return scores.contiguous()?.apply_op1(CausalSoftmax { scale });
    }
    opaque(
        scores,
        |scores| composed(scores, scale),
        move |_, p, grad| composed_gradient(p, grad, scale),
    )
}

/// The same in candle's operations.
fn composed(scores: &Tensor, scale: f64) -> Result<Tensor> {
    let length = scores.dim(D::Minus1)?;
    let device = scores.device();
    let at = Tensor::arange(0, length as u32, device)?;
    let later = at.reshape((1, length))?.broadcast_gt(&at.reshape((length, 1))?)?;
    let scaled = (scores.to_dtype(exact(scores))?.reshape(((), length, length))? * scale)?;
    let shape = scaled.shape();
    let lowest = Tensor::new(f32::NEG_INFINITY, device)?.to_dtype(scaled.dtype())?;
    let scaled = later.broadcast_as(shape)?.where_cond(&lowest.broadcast_as(shape)?, &scaled)?;
    let powers = scaled.broadcast_sub(&scaled.max_keepdim(D::Minus1)?)?.exp()?;
    let probabilities = powers.broadcast_div(&powers.sum_keepdim(D::Minus1)?)?;
    probabilities.reshape(scores.shape())?.to_dtype(scores.dtype())
}

/// `scale * p * (grad - dot(p, grad))`.
fn composed_gradient(p: &Tensor, grad: &Tensor, scale: f64) -> Result<Tensor> {
    let wide = p.to_dtype(exact(p))?;
    let grad = grad.to_dtype(wide.dtype())?;
    let mean = (&wide * &grad)?.sum_keepdim(D::Minus1)?;
    ((wide * grad.broadcast_sub(&mean)?)? * scale)?.to_dtype(p.dtype())
}

struct CausalSoftmax {
    scale: f64,
}

/// From probabilities and their gradients to the gradients of the scores.
struct CausalSoftmaxGradient {
    scale: f64,
}

struct Forward<'a, T> {
    scores: &'a [T],
    length: usize,
    scale: T,
    probabilities: &'a mut [T],
}

struct Backward<'a, T> {
    probabilities: &'a [T],
    grad: &'a [T],
    length: usize,
    scale: T,
    dscores: &'a mut [T],
}

impl<T: Real> NullaryFnOnce for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let rows = self.scores.chunks_exact(self.length);
        let out = self.probabilities.chunks_exact_mut(self.length);
        for (row, (scores, out)) in rows.zip(out).enumerate() {
            let visible = row % self.length + 1;
            let (scores, out) = (&scores[..visible], &mut out[..visible]);
            exp_of_differences(scores, largest(scores), self.scale, out);
            let inverse = T::one() / sum(out);
            for p in out {
                *p *= inverse;
            }
        }
    }
}

impl<T: Real> NullaryFnOnce for Backward<'_, T> {
    type Output = ();

    /// `dscores = scale * p * (grad - dot(p, grad))`.
    #[inline(always)]
    fn call(self) {
        let rows = self.probabilities.chunks_exact(self.length);
        let rows = rows.zip(self.grad.chunks_exact(self.length));
        let out = self.dscores.chunks_exact_mut(self.length);
        for (row, ((p, grad), out)) in rows.zip(out).enumerate() {
            let visible = row % self.length + 1;
            let (p, grad) = (&p[..visible], &grad[..visible]);
            let mean = dot(p, grad);
            for ((out, p), grad) in out.iter_mut().zip(p).zip(grad) {
                *out = *p * (*grad - mean) * self.scale;
            }
        }
    }
}

/// The softmax of rows of `length` scores.
pub(super) fn softmax<T: Real>(scores: &[T], length: usize, scale: T, probabilities: &mut [T]) {
    vectorized(Forward { scores, length, scale, probabilities });
}

/// Gradients of the scores from probabilities and their gradients.
pub(super) fn softmax_gradient<T: Real>(
    [probabilities, grad]: [&[T]; 2],
    length: usize,
    scale: T,
    dscores: &mut [T],
) {
    vectorized(Backward { probabilities, grad, length, scale, dscores });
}

impl CustomOp1 for CausalSoftmax {
    fn name(&self) -> &'static str {
        "causal_softmax"
    }

    fn cpu_fwd(&self, scores: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let length = layout.shape().dim(D::Minus1)?;
        by_dtype!(scores, T => {
            let scores = slice::<T>(scores, layout)?;
            let mut out: Vec<T> = vec![0.0; scores.len()];
            softmax(scores, length, self.scale as T, &mut out);
            Ok((WithDType::to_cpu_storage_owned(out), layout.shape().clone()))
        })
    }

    fn bwd(&self, _: &Tensor, probabilities: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let op = CausalSoftmaxGradient { scale: self.scale };
        probabilities.apply_op2_no_bwd(&grad.contiguous()?, &op).map(Some)
    }
}

impl CustomOp2 for CausalSoftmaxGradient {
    fn name(&self) -> &'static str {
        "causal_softmax_gradient"
    }

    fn cpu_fwd(
        &self,
        p: &CpuStorage,
        p_layout: &Layout,
        grad: &CpuStorage,
        grad_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let length = p_layout.shape().dim(D::Minus1)?;
        by_dtype!(p, T => {
            let (probabilities, grad) = (slice::<T>(p, p_layout)?, slice::<T>(grad, grad_layout)?);
            let mut out: Vec<T> = vec![0.0; grad.len()];
            softmax_gradient([probabilities, grad], length, self.scale as T, &mut out);
            Ok((WithDType::to_cpu_storage_owned(out), p_layout.shape().clone()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::opaque::value_and_gradient;
    use super::*;
    use candle_core::{DType, Device};

    #[test]
    fn composed_operations_equal_the_fused_ones() {
        // Two groups of two heads that share keys, 5 positions.
        let scores: Vec<f64> = (0..100).map(|i| f64::from(i * 29 % 37) * 0.2 - 3.0).collect();
        let scores = Tensor::from_vec(scores, (2, 10, 5), &Device::Cpu).unwrap();
        let fused = value_and_gradient(&scores, |scores| causal_softmax(scores, 0.5));
        let opaque = value_and_gradient(&scores, |scores| {
            let gradient = |_: &Tensor, p: &Tensor, g: &Tensor| composed_gradient(p, g, 0.5);
            opaque(scores, |scores| composed(scores, 0.5), gradient)
        });
        let by_candle = value_and_gradient(&scores, |scores| composed(scores, 0.5));
        for other in [opaque, by_candle] {
            for (a, b) in fused.iter().flatten().zip(other.iter().flatten()) {
                assert!((a - b).abs() < 1e-14, "{a} {b}");
            }
        }
        let half = scores.to_dtype(DType::F16).unwrap();
        assert_eq!(causal_softmax(&half, 1.0).unwrap().dtype(), DType::F16);
    }
}
