//! Causal attention of grouped queries.

use candle_core::{Result, Tensor};

use super::pass::Pass;
use crate::Config;
use crate::checkpoint::LayerRole;
use crate::train::TrainError;
use crate::train::ops::{causal_attention, merge_heads, rms_norm, split_heads};

#[derive(Debug)]
pub(super) struct Attention {
    q: Tensor,
    k: Tensor,
    v: Tensor,
    output: Tensor,
    /// Norms of the queries' and the keys' heads.
    norms: Option<[Tensor; 2]>,
}

impl Attention {
    pub fn new(
        config: &Config,
        of: impl Fn(LayerRole) -> std::result::Result<Tensor, TrainError>,
    ) -> std::result::Result<Self, TrainError> {
        let norms = match config.qk_norm {
            true => Some([of(LayerRole::AttnQNorm)?, of(LayerRole::AttnKNorm)?]),
            false => None,
        };
        Ok(Attention {
            q: of(LayerRole::AttnQ)?,
            k: of(LayerRole::AttnK)?,
            v: of(LayerRole::AttnV)?,
            output: of(LayerRole::AttnOutput)?,
            norms,
        })
    }

    /// `x` is `[tokens, hidden]`, as is the result.
    pub fn forward(&self, pass: &Pass<'_>, x: &Tensor) -> Result<Tensor> {
        let Config { num_heads, num_kv_heads, head_dim, .. } = *pass.config;
        let linear = |weight: &Tensor| pass.linear(x, weight);
        let (mut q, mut k, v) = (linear(&self.q)?, linear(&self.k)?, linear(&self.v)?);
        if let Some([q_norm, k_norm]) = &self.norms {
            let eps = f64::from(pass.config.rms_norm_eps);
            q = rms_norm(&q.reshape(((), head_dim))?, q_norm, eps)?.reshape(q.shape())?;
            k = rms_norm(&k.reshape(((), head_dim))?, k_norm, eps)?.reshape(k.shape())?;
        }
        let shape = |heads| [pass.sequences, pass.length, heads];
        let rotation = Some(pass.rotation);
        let q = split_heads(&q, shape(num_heads), head_dim, rotation)?;
        let k = split_heads(&k, shape(num_kv_heads), head_dim, rotation)?;
        let v = split_heads(&v, shape(num_kv_heads), head_dim, None)?;
        // The queries of heads that share keys, one head after the other.
        let group = num_heads / num_kv_heads;
        let q = q.reshape((pass.sequences * num_kv_heads, group * pass.length, head_dim))?;
        let heads = causal_attention(&q, &k, &v)?;
        pass.linear(&merge_heads(&heads, shape(num_heads), head_dim)?, &self.output)
    }
}
