//! RMSNorm (Zhang and Sennrich, arXiv 1910.07467), with gradients of both inputs.

use std::vec;
use std::vec::Vec;

use candle_core::{CpuStorage, CustomOp2, CustomOp3, D, Layout, Result, Shape, Tensor};
use pulp::NullaryFnOnce;

use super::opaque::opaque;
use super::real::{Real, dot, vectorized};
use super::{by_dtype, exact, is_fused, slice};

/// `y = x / sqrt(mean(x^2) + eps) * weight` over the last dimension of `x`.
///
/// In f32 or f64, whatever the type of `x`; the result has the type of `x`.
///
/// # Errors
/// If `weight` is not one value per element of that dimension.
pub fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    if is_fused(x) {
        return x.contiguous()?.apply_op2(weight, RmsNorm { eps });
    }
    let normal = opaque(
        x,
        |x| Ok(normalized(x, eps)?.0),
        move |x, normal, grad| normalized_gradient(x, normal, grad, eps),
    )?;
    normal.broadcast_mul(&weight.to_dtype(normal.dtype())?)?.to_dtype(x.dtype())
}

/// `x / rms` and `rms = sqrt(mean(x^2) + eps)` in candle's operations, in f32 at least.
fn normalized(x: &Tensor, eps: f64) -> Result<(Tensor, Tensor)> {
    let wide = x.to_dtype(exact(x))?;
    let rms = (wide.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?;
    Ok((wide.broadcast_div(&rms)?, rms))
}

/// `(grad - normal * mean(grad * normal)) / rms`.
fn normalized_gradient(x: &Tensor, normal: &Tensor, grad: &Tensor, eps: f64) -> Result<Tensor> {
    let (_, rms) = normalized(x, eps)?;
    let along = (grad * normal)?.mean_keepdim(D::Minus1)?;
    let across = (grad - normal.broadcast_mul(&along)?)?;
    across.broadcast_div(&rms)?.to_dtype(x.dtype())
}

struct RmsNorm {
    eps: f64,
}

/// Gradients: those of `x`, then that of the weight, one after the other.
struct RmsNormGradients {
    eps: f64,
}

struct Forward<'a, T> {
    x: &'a [T],
    weight: &'a [T],
    eps: T,
    y: &'a mut [T],
}

struct Backward<'a, T> {
    x: &'a [T],
    weight: &'a [T],
    grad: &'a [T],
    eps: T,
    dx: &'a mut [T],
    dweight: &'a mut [T],
}

/// `1 / sqrt(mean(x^2) + eps)`.
#[inline(always)]
fn inverse_rms<T: Real>(x: &[T], eps: T) -> T {
    let mean = dot(x, x).to_f64() / x.len() as f64;
    T::from_f64(1.0 / (mean + eps.to_f64()).sqrt())
}

impl<T: Real> NullaryFnOnce for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let n = self.weight.len();
        for (x, y) in self.x.chunks_exact(n).zip(self.y.chunks_exact_mut(n)) {
            let inverse = inverse_rms(x, self.eps);
            for ((y, x), w) in y.iter_mut().zip(x).zip(self.weight) {
                *y = *x * inverse * *w;
            }
        }
    }
}

impl<T: Real> NullaryFnOnce for Backward<'_, T> {
    type Output = ();

    /// With `r` the inverse root, `n` elements and `h = grad * weight`:
    /// `dx = r * (h - x * r^2 * dot(h, x) / n)`, `dweight = sum over rows of grad * x * r`.
    #[inline(always)]
    fn call(self) {
        let n = self.weight.len();
        let rows = self.x.chunks_exact(n).zip(self.grad.chunks_exact(n));
        for ((x, grad), dx) in rows.zip(self.dx.chunks_exact_mut(n)) {
            let inverse = inverse_rms(x, self.eps);
            for ((h, g), w) in dx.iter_mut().zip(grad).zip(self.weight) {
                *h = *g * *w;
            }
            let along = dot(dx, x) * inverse * inverse * T::from_f64(1.0 / n as f64);
            for (dx, x) in dx.iter_mut().zip(x) {
                *dx = (*dx - *x * along) * inverse;
            }
            for ((sum, g), x) in self.dweight.iter_mut().zip(grad).zip(x) {
                *sum += *g * *x * inverse;
            }
        }
    }
}

fn check_width(x: usize, weight: usize) -> Result<()> {
    if weight == 0 || !x.is_multiple_of(weight) {
        refuse!("rms_norm: {x} values are not rows of {weight}");
    }
    Ok(())
}

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms_norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        by_dtype!(x, T => {
            let (x, weight) = (slice::<T>(x, x_layout)?, slice::<T>(weight, weight_layout)?);
            check_width(x.len(), weight.len())?;
            let mut y: Vec<T> = vec![0.0; x.len()];
            vectorized(Forward { x, weight, eps: self.eps as T, y: &mut y });
            Ok((candle_core::WithDType::to_cpu_storage_owned(y), x_layout.shape().clone()))
        })
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let op = RmsNormGradients { eps: self.eps };
        let both = x.apply_op3_no_bwd(weight, &grad.contiguous()?, &op)?;
        let dx = both.narrow(0, 0, x.elem_count())?.reshape(x.shape())?;
        let dweight = both.narrow(0, x.elem_count(), weight.elem_count())?;
        Ok((Some(dx), Some(dweight)))
    }
}

impl CustomOp3 for RmsNormGradients {
    fn name(&self) -> &'static str {
        "rms_norm_gradients"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        grad: &CpuStorage,
        grad_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        by_dtype!(x, T => {
            let (x, weight) = (slice::<T>(x, x_layout)?, slice::<T>(weight, weight_layout)?);
            let grad = slice::<T>(grad, grad_layout)?;
            let mut both: Vec<T> = vec![0.0; x.len() + weight.len()];
            let (dx, dweight) = both.split_at_mut(x.len());
            vectorized(Backward { x, weight, grad, eps: self.eps as T, dx, dweight });
            let shape = both.len().into();
            Ok((candle_core::WithDType::to_cpu_storage_owned(both), shape))
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
        let x: Vec<f64> = (0..5 * 16).map(|i| f64::from(i * 31 % 53) * 0.1 - 2.0).collect();
        let x = Tensor::from_vec(x, (5, 16), &Device::Cpu).unwrap();
        let ones = Tensor::ones(16, x.dtype(), &Device::Cpu).unwrap();
        let fused = value_and_gradient(&x, |x| rms_norm(x, &ones, 0.1));
        let composed = value_and_gradient(&x, |x| {
            let gradient =
                |x: &Tensor, y: &Tensor, grad: &Tensor| normalized_gradient(x, y, grad, 0.1);
            opaque(x, |x| Ok(normalized(x, 0.1)?.0), gradient)
        });
        let by_candle = value_and_gradient(&x, |x| Ok(normalized(x, 0.1)?.0));
        for other in [composed, by_candle] {
            for (a, b) in fused.iter().flatten().zip(other.iter().flatten()) {
                assert!((a - b).abs() < 1e-14, "{a} {b}");
            }
        }
    }
}
