//! Random initial weights.

use std::vec;
use std::vec::Vec;

use candle_core::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

use super::parameters::{ParameterKind, all};
use crate::checkpoint::{LayerRole, Role};
use crate::train::TrainError;
use crate::{Config, RawXielu};

/// Initial values by index, name and shape. Each tensor has a random stream of its own, so that
/// none depends on what was drawn before.
pub(super) fn initializer(
    config: &Config,
    range: f64,
    seed: u64,
) -> impl FnMut(usize, &str, &[usize]) -> Result<Tensor, TrainError> + use<> {
    let kinds: Vec<ParameterKind> = all(config).into_iter().map(|(kind, ..)| kind).collect();
    // As in GPT-2: the variance of the residual stream does not grow with depth.
    let residual = range / (2.0 * config.num_layers as f64).sqrt();
    move |index, _, shape| {
        let len = shape.iter().product();
        let values = match kinds[index] {
            ParameterKind::AlphaP(_) => vec![RawXielu::PAPER_INIT.alpha_p; len],
            ParameterKind::AlphaN(_) => vec![RawXielu::PAPER_INIT.alpha_n; len],
            ParameterKind::Tensor(role) if role.is_vector() => vec![1.0; len],
            ParameterKind::Tensor(Role::Layer(_, LayerRole::AttnOutput | LayerRole::FfnDown)) => {
                normal(seed, index, residual, len)
            }
            ParameterKind::Tensor(_) => normal(seed, index, range, len),
        };
        Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
    }
}

fn normal(seed: u64, stream: usize, deviation: f64, len: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream as u64);
    let samples = StandardNormal.sample_iter(&mut rng);
    samples.take(len).map(|z: f64| (z * deviation) as f32).collect()
}
