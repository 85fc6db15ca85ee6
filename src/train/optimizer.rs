//! AdamW (Loshchilov and Hutter, arXiv 1711.05101).

use std::cell::RefCell;
use std::vec;
use std::vec::Vec;

use candle_core::{CpuStorage, DType, InplaceOp2, Layout, Result, Tensor, Var};
use rayon::iter::{IndexedParallelIterator, ParallelIterator};
use rayon::slice::{ParallelSlice, ParallelSliceMut};

use super::Parameter;
use super::config::OptimizerConfig;

/// Elements that a thread updates at a time.
const PART: usize = 1 << 14;

/// AdamW's state and its numbers.
#[derive(Debug)]
pub(super) struct AdamW {
    config: OptimizerConfig,
    /// In the order of the parameters.
    moments: Vec<Moments>,
}

/// First and second moment of one parameter's gradient, in f32.
#[derive(Debug)]
pub(super) enum Moments {
    /// Updated in place, in one pass over memory.
    Host([Vec<f32>; 2]),
    /// Updated with the device's operations.
    Device([Var; 2]),
}

/// One update's numbers, the same for all elements of a parameter.
#[derive(Clone, Copy, Debug)]
struct Update {
    beta1: f32,
    beta2: f32,
    /// What gradients are multiplied with: clipping.
    scale: f32,
    /// Learning rate over the first moment's bias correction.
    rate: f32,
    /// Square root of the second moment's bias correction, inverted.
    root_correction: f32,
    epsilon: f32,
    /// What weights are multiplied with: decay.
    keep: f32,
}

impl Moments {
    fn zeros(parameter: &Tensor) -> Result<Self> {
        if parameter.device().is_cpu() {
            let zeros = || vec![0.0; parameter.elem_count()];
            return Ok(Moments::Host([zeros(), zeros()]));
        }
        let zeros = || Var::zeros(parameter.shape(), DType::F32, parameter.device());
        Ok(Moments::Device([zeros()?, zeros()?]))
    }

    /// The values of both.
    pub fn to_vecs(&self) -> Result<[Vec<f32>; 2]> {
        match self {
            Moments::Host(both) => Ok(both.clone()),
            Moments::Device([m, v]) => {
                Ok([m.flatten_all()?.to_vec1()?, v.flatten_all()?.to_vec1()?])
            }
        }
    }

    /// Replaces the values of both; there must be as many.
    pub fn set(&mut self, values: [Vec<f32>; 2]) -> Result<()> {
        match self {
            Moments::Host(both) => *both = values,
            Moments::Device(both) => {
                for (var, values) in both.iter().zip(values) {
                    var.set(&Tensor::from_vec(values, var.shape(), var.device())?)?;
                }
            }
        }
        Ok(())
    }
}

impl AdamW {
    /// Moments of 0.
    pub fn new(config: &OptimizerConfig, parameters: &[Parameter]) -> Result<Self> {
        let moments = parameters.iter().map(|p| Moments::zeros(p.tensor()));
        Ok(AdamW { config: config.clone(), moments: moments.collect::<Result<_>>()? })
    }

    pub fn moments(&self) -> &[Moments] {
        &self.moments
    }

    pub fn moments_mut(&mut self) -> &mut [Moments] {
        &mut self.moments
    }

    /// Updates every parameter from its gradient times `scale`. `step` counts from 0;
    /// `learning_rate` is the scheduled one.
    ///
    /// ```text
    /// m = beta1*m + (1-beta1)*g        v = beta2*v + (1-beta2)*g^2
    /// w = w*(1 - lr*decay) - lr * m/(1-beta1^t) / (sqrt(v/(1-beta2^t)) + epsilon)
    /// ```
    pub fn update(
        &mut self,
        parameters: &[Parameter],
        gradients: &[Tensor],
        step: u64,
        learning_rate: f64,
        scale: f64,
    ) -> Result<()> {
        let c = &self.config;
        let t = i32::try_from(step + 1).unwrap_or(i32::MAX);
        let all = parameters.iter().zip(gradients).zip(&mut self.moments);
        for ((parameter, gradient), moments) in all {
            let multiplier = if parameter.is_alpha() { c.alpha_lr_multiplier } else { 1.0 };
            let decay = if parameter.is_decayed() { c.weight_decay } else { 0.0 };
            let rate = learning_rate * multiplier;
            let update = Update {
                beta1: c.beta1 as f32,
                beta2: c.beta2 as f32,
                scale: scale as f32,
                rate: (rate / (1.0 - c.beta1.powi(t))) as f32,
                root_correction: (1.0 / (1.0 - c.beta2.powi(t)).sqrt()) as f32,
                epsilon: c.epsilon as f32,
                keep: (1.0 - rate * decay) as f32,
            };
            match moments {
                Moments::Host([m, v]) => {
                    let op = OnHost { update, moments: RefCell::new([m, v]) };
                    parameter.var().inplace_op2(&gradient.contiguous()?, &op)?;
                }
                Moments::Device(moments) => {
                    update.on_device(parameter.var(), gradient, moments)?;
                }
            }
        }
        Ok(())
    }
}

impl Update {
    fn on_host(&self, w: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32]) {
        let weights = w.par_chunks_mut(PART).zip(g.par_chunks(PART));
        let moments = m.par_chunks_mut(PART).zip(v.par_chunks_mut(PART));
        weights.zip(moments).for_each(|((w, g), (m, v))| {
            for (((w, g), m), v) in w.iter_mut().zip(g).zip(m).zip(v) {
                let g = g * self.scale;
                *m = self.beta1 * *m + (1.0 - self.beta1) * g;
                *v = self.beta2 * *v + (1.0 - self.beta2) * g * g;
                let root = v.sqrt() * self.root_correction + self.epsilon;
                *w = *w * self.keep - self.rate * *m / root;
            }
        });
    }

    fn on_device(&self, w: &Var, gradient: &Tensor, [first, second]: &[Var; 2]) -> Result<()> {
        let f = f64::from;
        let g = (gradient.to_dtype(DType::F32)? * f(self.scale))?;
        let m = ((first.as_tensor() * f(self.beta1))? + (&g * f(1.0 - self.beta1))?)?;
        let v = ((second.as_tensor() * f(self.beta2))? + (g.sqr()? * f(1.0 - self.beta2))?)?;
        let root = ((v.sqrt()? * f(self.root_correction))? + f(self.epsilon))?;
        let updated = ((w.as_tensor() * f(self.keep))? - ((&m * f(self.rate))? / root)?)?;
        first.set(&m.detach())?;
        second.set(&v.detach())?;
        w.set(&updated.detach())
    }
}

/// The update of weights on the CPU, all of it in one pass.
struct OnHost<'a> {
    update: Update,
    moments: RefCell<[&'a mut Vec<f32>; 2]>,
}

impl InplaceOp2 for OnHost<'_> {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(
        &self,
        weights: &mut CpuStorage,
        layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> Result<()> {
        let (CpuStorage::F32(w), CpuStorage::F32(g)) = (weights, gradient) else {
            return Err(mismatch("AdamW updates f32 parameters"));
        };
        let part = |layout: &Layout| layout.contiguous_offsets().map(|(start, end)| start..end);
        let w = part(layout).and_then(|part| w.get_mut(part));
        let g = part(gradient_layout).and_then(|part| g.get(part));
        let [m, v] = &mut *self.moments.borrow_mut();
        match (w, g) {
            (Some(w), Some(g))
                if w.len() == g.len() && m.len() == w.len() && v.len() == w.len() =>
            {
                self.update.on_host(w, g, m, v);
                Ok(())
            }
            _ => Err(mismatch("AdamW: gradient and weights differ in shape")),
        }
    }
}

fn mismatch(message: &str) -> candle_core::Error {
    candle_core::Error::Msg(message.into()).bt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    /// A few steps by the formulas, in f64.
    fn reference(c: &OptimizerConfig, mut w: f64, gradients: &[f64], decay: f64) -> f64 {
        let (mut m, mut v) = (0.0, 0.0);
        for (t, g) in (1..).zip(gradients) {
            m = c.beta1 * m + (1.0 - c.beta1) * g;
            v = c.beta2 * v + (1.0 - c.beta2) * g * g;
            let (m_hat, v_hat) = (m / (1.0 - c.beta1.powi(t)), v / (1.0 - c.beta2.powi(t)));
            w -= 0.01 * (m_hat / (v_hat.sqrt() + c.epsilon) + decay * w);
        }
        w
    }

    #[test]
    fn host_and_device_updates_follow_the_formulas() {
        let config = OptimizerConfig::default();
        let starts = [0.5f32, -2.0, 0.0, 1e-3];
        let gradients: Vec<[f32; 4]> =
            (0..5).map(|t| [0.1, -3.0 * t as f32, 1e-6, 7.0 - t as f32]).collect();
        for decay in [0.0, 0.1] {
            for on_host in [true, false] {
                let w = Var::new(&starts, &Device::Cpu).unwrap();
                let (mut m, mut v) = (vec![0.0f32; 4], vec![0.0f32; 4]);
                let zeros = || Var::zeros(4, DType::F32, &Device::Cpu).unwrap();
                let device = [zeros(), zeros()];
                for (t, g) in (1..).zip(&gradients) {
                    // The gradients arrive twice as large, to be clipped.
                    let g = (Tensor::new(g, &Device::Cpu).unwrap() * 2.0).unwrap();
                    let update = Update {
                        beta1: config.beta1 as f32,
                        beta2: config.beta2 as f32,
                        scale: 0.5,
                        rate: (0.01 / (1.0 - config.beta1.powi(t))) as f32,
                        root_correction: (1.0 / (1.0 - config.beta2.powi(t)).sqrt()) as f32,
                        epsilon: config.epsilon as f32,
                        keep: (1.0 - 0.01 * decay) as f32,
                    };
                    if on_host {
                        let op = OnHost { update, moments: RefCell::new([&mut m, &mut v]) };
                        w.inplace_op2(&g, &op).unwrap();
                    } else {
                        update.on_device(&w, &g, &device).unwrap();
                    }
                }
                let got: Vec<f32> = w.to_vec1().unwrap();
                for (i, got) in got.into_iter().enumerate() {
                    let column: Vec<f64> = gradients.iter().map(|g| f64::from(g[i])).collect();
                    let truth = reference(&config, starts[i].into(), &column, decay);
                    assert!((f64::from(got) - truth).abs() < 1e-6, "{i}: {got} and {truth}");
                }
            }
        }
    }
}
