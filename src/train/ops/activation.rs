//! The MLP's activations, computed by the library's own kernels in both directions.

use std::vec;
use std::vec::Vec;

use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, DType, Layout, Result, Shape, Tensor, WithDType,
};

use super::functions::{Function, Learned};
use super::{by_dtype, is_fused, slice};

/// xIELU of stored alphas, ideal form; see [`RawXielu::freeze`](crate::RawXielu::freeze).
///
/// # Errors
/// If an alpha is not one value, and those of candle.
pub fn xielu(x: &Tensor, alphas: &[Tensor; 2]) -> Result<Tensor> {
    learned(Learned::Xielu, x, alphas)
}

/// xIPReLU of stored alphas; see [`RawXielu::freeze_xiprelu`](crate::RawXielu::freeze_xiprelu).
///
/// # Errors
/// As [`xielu`].
pub fn xiprelu(x: &Tensor, alphas: &[Tensor; 2]) -> Result<Tensor> {
    learned(Learned::Xiprelu, x, alphas)
}

/// `max(0, x)^2`.
///
/// # Errors
/// Those of candle.
pub fn relu2(x: &Tensor) -> Result<Tensor> {
    if is_fused(x) { x.contiguous()?.apply_op1(Relu2) } else { x.relu()?.sqr() }
}

/// `silu(gate) * up`.
///
/// # Errors
/// If the shapes differ, and those of candle.
pub fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    if is_fused(gate) {
        return gate.contiguous()?.apply_op2(&up.contiguous()?, Swiglu);
    }
    gate.silu()? * up
}

fn learned(f: Learned, x: &Tensor, [raw_p, raw_n]: &[Tensor; 2]) -> Result<Tensor> {
    if is_fused(x) {
        return x.contiguous()?.apply_op3(raw_p, raw_n, f);
    }
    composed(f, x, [raw_p, raw_n])
}

/// The formula in candle's operations, in f32 at least: what other devices compute, and what the
/// gradients are tested against.
fn composed(f: Learned, x: &Tensor, [raw_p, raw_n]: [&Tensor; 2]) -> Result<Tensor> {
    let exact = if x.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
    let wide = x.to_dtype(exact)?;
    let [alpha_p, softplus_n] = [raw_p, raw_n].map(|raw| softplus(&raw.to_dtype(exact)?));
    let (positive, negative) = (wide.relu()?, wide.neg()?.relu()?.neg()?);
    let (alpha_n, curve) = match f {
        Learned::Xielu => ((softplus_n? + f.beta())?, ((negative.exp()? - 1.0)? - &negative)?),
        Learned::Xiprelu => (softplus_n?, negative.sqr()?),
    };
    let curves = (positive.sqr()?.broadcast_mul(&alpha_p?)? + curve.broadcast_mul(&alpha_n)?)?;
    (curves + (wide * f.beta())?)?.to_dtype(x.dtype())
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
            T::learned(*self, raw, x, &mut y)?;
            Ok((T::to_cpu_storage_owned(y), layout.shape().clone()))
        })
    }

    fn bwd(
        &self,
        x: &Tensor,
        raw_p: &Tensor,
        raw_n: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let raw = Tensor::cat(&[raw_p.flatten_all()?, raw_n.flatten_all()?], 0)?;
        let all = x.apply_op3_no_bwd(&raw, &grad.contiguous()?, &LearnedGradients(*self))?;
        let n = x.elem_count();
        let of_alpha = |at, raw: &Tensor| all.narrow(0, n + at, 1)?.reshape(raw.shape());
        let dx = all.narrow(0, 0, n)?.reshape(x.shape())?;
        Ok((Some(dx), Some(of_alpha(0, raw_p)?), Some(of_alpha(1, raw_n)?)))
    }
}

/// Of x, both stored alphas, and the output's gradient: the gradients of x, then the alphas'.
struct LearnedGradients(Learned);

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
            let sums = T::learned_gradients(self.0, [raw_p, raw_n], [x, dy], dx)?;
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
            T::relu2(x, &mut y)?;
            Ok((T::to_cpu_storage_owned(y), layout.shape().clone()))
        })
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
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
            T::relu2_gradient([x, dy], &mut dx)?;
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

    fn bwd(
        &self,
        gate: &Tensor,
        up: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
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
            T::swiglu_gradients([gate, up, dy], [d_gate, d_up])?;
            let shape = both.len().into();
            Ok((T::to_cpu_storage_owned(both), shape))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};
    use std::string::ToString;

    /// Values on both sides of 0, near it and far from it.
    fn values(n: usize) -> Vec<f64> {
        let value = |i: usize| ((i * 37 % 101) as f64 - 50.0) * 0.07;
        (0..n).map(|i| if i % 5 == 0 { value(i) * 1e-4 } else { value(i) }).collect()
    }

    fn var(values: &[f64], dtype: DType) -> Var {
        let t = Tensor::from_slice(values, values.len(), &Device::Cpu).unwrap();
        Var::from_tensor(&t.to_dtype(dtype).unwrap()).unwrap()
    }

    /// Value, and gradients by all `inputs` of the sum of `f` times fixed weights.
    fn gradients(inputs: &[&Var], f: impl Fn() -> Result<Tensor>) -> Vec<Vec<f64>> {
        let y = f().unwrap();
        let weights: Vec<f64> = (0..y.elem_count()).map(|i| ((i % 7) as f64 - 2.0) * 0.3).collect();
        let weights = Tensor::from_vec(weights, y.shape(), &Device::Cpu).unwrap();
        let weights = weights.to_dtype(y.dtype()).unwrap();
        let loss = (&y * weights).unwrap().sum_all().unwrap();
        let grads = loss.backward().unwrap();
        let all = inputs.iter().map(|v| grads.get(v).unwrap().clone());
        std::iter::once(y.clone())
            .chain(all)
            .map(|t| t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap())
            .collect()
    }

    fn close(a: &[Vec<f64>], b: &[Vec<f64>], bound: f64) {
        assert_eq!(a.len(), b.len());
        for (a, b) in a.iter().zip(b) {
            assert_eq!(a.len(), b.len());
            let scale = b.iter().fold(1.0f64, |m, v| m.max(v.abs()));
            for (a, b) in a.iter().zip(b) {
                assert!((a - b).abs() <= bound * scale, "{a} {b}");
            }
        }
    }

    #[test]
    fn learned_activations_equal_autograd_of_the_formula() {
        for f in [Learned::Xielu, Learned::Xiprelu] {
            for raw in [[0.2033823, -1.0502256], [3.0, 0.5], [-2.0, 25.0]] {
                let formula = {
                    let (x, p, n) = (
                        var(&values(300), DType::F64),
                        var(&raw[..1], DType::F64),
                        var(&raw[1..], DType::F64),
                    );
                    gradients(&[&x, &p, &n], || composed(f, &x, [&p, &n]))
                };
                for (dtype, bound) in [(DType::F64, 1e-13), (DType::F32, 1e-6)] {
                    let (x, p, n) =
                        (var(&values(300), dtype), var(&raw[..1], dtype), var(&raw[1..], dtype));
                    let alphas = [p.as_tensor().clone(), n.as_tensor().clone()];
                    let ours = gradients(&[&x, &p, &n], || learned(f, &x, &alphas));
                    close(&ours, &formula, bound);
                }
            }
        }
    }

    #[test]
    fn other_activations_equal_autograd_of_the_formula() {
        let (gate, up) = (var(&values(300), DType::F64), var(&values(330)[30..], DType::F64));
        let squares = gradients(&[&gate], || gate.relu()?.sqr());
        let products = gradients(&[&gate, &up], || gate.silu()? * up.as_tensor());
        for (dtype, bound) in [(DType::F64, 1e-13), (DType::F32, 1e-6)] {
            let (gate, up) = (var(&values(300), dtype), var(&values(330)[30..], dtype));
            close(&gradients(&[&gate], || relu2(&gate)), &squares, bound);
            close(&gradients(&[&gate, &up], || swiglu(&gate, &up)), &products, bound);
        }
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        let (x, one) = (var(&values(6), DType::F32), var(&[0.5], DType::F32));
        let one = one.as_tensor().clone();
        let error = xielu(&x, &[x.as_tensor().clone(), one.clone()]).unwrap_err().to_string();
        assert!(error.contains("an alpha is one value, not 6"), "{error}");
        assert!(xiprelu(&x, &[one.clone(), x.as_tensor().clone()]).is_err());
        assert!(swiglu(&x, &one).is_err());
        // Not contiguous: copied, not refused.
        let grid = x.reshape((2, 3)).unwrap().t().unwrap();
        let y = xielu(&grid, &[one.clone(), one]).unwrap();
        assert_eq!(y.dims(), [3, 2]);
    }
}
