//! The paper's Llama, on candle: pre-norm decoder layers with grouped-query attention, RoPE,
//! optional QK-norm, and an MLP by activation.

mod attention;
mod init;
mod mlp;
mod parameters;
mod pass;

use std::vec::Vec;

use candle_core::{DType, Device, Tensor};

use self::attention::Attention;
use self::mlp::Mlp;
pub use self::parameters::Parameter;
use self::parameters::Parameters;
use self::pass::{Pass, linear};
use super::ops::{Rotation, Sink, cross_entropy, head_loss, rms_norm};
use super::{Batch, TrainError};
use crate::checkpoint::{LayerRole, Role};
use crate::config::Config;
use crate::{Error, RawXielu};

/// A decoder whose parameters are candle variables.
///
/// Parameters are f32 (f64 to check gradients); products are computed in the compute type, norms,
/// softmax and loss in f32 at least.
#[derive(Debug)]
pub struct Model {
    config: Config,
    parameters: Parameters,
    layers: Vec<DecoderLayer>,
    embedding: Tensor,
    norm: Tensor,
    head: Tensor,
    rotation: Rotation,
    compute: DType,
}

#[derive(Debug)]
struct DecoderLayer {
    attention_norm: Tensor,
    attention: Attention,
    mlp_norm: Tensor,
    mlp: Mlp,
}

impl Model {
    /// A model with random weights: the same seed gives the same bits on every machine.
    ///
    /// Matrices are normal with standard deviation `initializer_range`, those that write to the
    /// residual stream with that over `sqrt(2 * num_layers)`; norms are 1, alphas
    /// [`RawXielu::PAPER_INIT`].
    ///
    /// # Errors
    /// For an unusable shape, and those of candle.
    pub fn new(
        config: &Config,
        initializer_range: f64,
        seed: u64,
        device: &Device,
    ) -> Result<Self, TrainError> {
        config.validate()?;
        let values = init::initializer(config, initializer_range, seed);
        Model::build(config, DType::F32, device, values)
    }

    /// A model with the values that `tensor` gives for a name of [`Model::parameters`], converted
    /// to `dtype`: f32, or f64 to check gradients.
    ///
    /// # Errors
    /// Those of `tensor`, and for a tensor of another shape.
    pub fn load(
        config: &Config,
        dtype: DType,
        device: &Device,
        mut tensor: impl FnMut(&str) -> Result<Tensor, TrainError>,
    ) -> Result<Self, TrainError> {
        config.validate()?;
        Model::build(config, dtype, device, |_, name, shape| {
            let found = tensor(name)?;
            if found.dims() != shape {
                let found = found.dims();
                let problem = std::format!("{name} has shape {found:?}, expected {shape:?}");
                return Err(TrainError::Data(problem));
            }
            Ok(found)
        })
    }

    fn build(
        config: &Config,
        dtype: DType,
        device: &Device,
        values: impl FnMut(usize, &str, &[usize]) -> Result<Tensor, TrainError>,
    ) -> Result<Self, TrainError> {
        let parameters = Parameters::new(config, dtype, device, values)?;
        let of = |role: Role| parameters.by_role(role);
        let layer = |n| {
            let of = |role: LayerRole| of(Role::Layer(n, role));
            Ok::<_, TrainError>(DecoderLayer {
                attention_norm: of(LayerRole::AttnNorm)?,
                attention: Attention::new(config, of)?,
                mlp_norm: of(LayerRole::FfnNorm)?,
                mlp: Mlp::new(config, of, parameters.alphas(n))?,
            })
        };
        let layers = (0..config.num_layers).map(layer).collect::<Result<_, _>>()?;
        let embedding = of(Role::TokenEmbd)?;
        let head = if config.tie_word_embeddings { embedding.clone() } else { of(Role::Output)? };
        Ok(Model {
            config: *config,
            layers,
            head,
            norm: of(Role::OutputNorm)?,
            embedding,
            rotation: Rotation::new(&config.rope, config.head_dim, config.context_length)?,
            compute: dtype,
            parameters,
        })
    }

    /// The same model, its products computed in `dtype`: bf16 with f32 parameters on CUDA.
    pub fn computing_in(mut self, dtype: DType) -> Self {
        self.compute = dtype;
        self
    }

    /// The model's shape.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// All parameters, in an order that depends on the shape alone.
    pub fn parameters(&self) -> &[Parameter] {
        self.parameters.as_slice()
    }

    /// Number of trained values.
    pub fn parameter_count(&self) -> usize {
        self.parameters().iter().map(|p| p.tensor().elem_count()).sum()
    }

    /// The activation's scalars of every layer; empty for activations without.
    ///
    /// # Errors
    /// Those of candle.
    pub fn alphas(&self) -> Result<Vec<RawXielu>, TrainError> {
        let value = |t: &Tensor| t.to_dtype(DType::F32)?.reshape(())?.to_scalar::<f32>();
        let alphas = (0..self.config.num_layers).filter_map(|n| self.parameters.alphas(n));
        alphas
            .map(|[p, n]| {
                let (alpha_p, alpha_n) = (value(&p)?, value(&n)?);
                Ok(RawXielu { alpha_p, alpha_n, ..RawXielu::PAPER_INIT })
            })
            .collect()
    }

    /// Logits of every position, `[sequences * length, vocab]`.
    ///
    /// # Errors
    /// For ids beyond the vocabulary, sequences beyond the context, and those of candle.
    pub fn logits(
        &self,
        inputs: &[u32],
        sequences: usize,
        length: usize,
    ) -> Result<Tensor, TrainError> {
        let normal = self.hidden(inputs, sequences, length, None)?;
        Ok(linear(&normal, &self.head)?)
    }

    /// What the output head reads, `[sequences * length, hidden]`.
    fn hidden(
        &self,
        inputs: &[u32],
        sequences: usize,
        length: usize,
        sink: Option<&Sink>,
    ) -> Result<Tensor, TrainError> {
        if length == 0 || length > self.config.context_length {
            let context = self.config.context_length;
            return Err(Error::ContextFull { needed: length, context }.into());
        }
        let ids = Tensor::from_slice(inputs, (sequences * length,), self.embedding.device())?;
        let pass = Pass { config: &self.config, rotation: &self.rotation, sequences, length, sink };
        let eps = f64::from(self.config.rms_norm_eps);
        let mut x = self.embedding.index_select(&ids, 0)?.to_dtype(self.compute)?;
        for layer in &self.layers {
            let normal = rms_norm(&x, &layer.attention_norm, eps)?;
            x = (x + layer.attention.forward(&pass, &normal)?)?;
            let normal = rms_norm(&x, &layer.mlp_norm, eps)?;
            x = (x + layer.mlp.forward(&pass, &normal)?)?;
        }
        Ok(rms_norm(&x, &self.norm, eps)?)
    }

    /// `-ln p` of every target, `[tokens]`; candle knows the gradients of all parameters.
    ///
    /// # Errors
    /// For a batch that does not fit the model, and those of candle.
    pub fn nll(&self, batch: &Batch) -> Result<Tensor, TrainError> {
        batch.validate(self.config.vocab_size)?;
        let logits = self.logits(&batch.inputs, batch.sequences, batch.length)?;
        Ok(cross_entropy(&logits, &batch.targets)?)
    }

    /// The same, computed with fused operations where there are: on the CPU, in f32. Gradients
    /// of weights go to the sink there.
    fn fused_nll(&self, batch: &Batch, sink: &Sink) -> Result<Tensor, TrainError> {
        if !self.embedding.device().is_cpu() || self.compute != DType::F32 {
            return self.nll(batch);
        }
        batch.validate(self.config.vocab_size)?;
        let x = self.hidden(&batch.inputs, batch.sequences, batch.length, Some(sink))?;
        Ok(head_loss(&x, &self.head, &batch.targets, sink)?)
    }

    /// The values of [`Model::nll`], the fastest way.
    ///
    /// # Errors
    /// As [`Model::nll`].
    pub fn losses(&self, batch: &Batch) -> Result<Vec<f64>, TrainError> {
        Ok(self.fused_nll(batch, &Sink::default())?.to_dtype(DType::F64)?.to_vec1()?)
    }

    /// The values of [`Model::nll`] and, of their sum times `scale`, the gradients of all
    /// parameters, in their order.
    ///
    /// # Errors
    /// As [`Model::nll`].
    pub fn gradients(
        &self,
        batch: &Batch,
        scale: f64,
    ) -> Result<(Vec<f64>, Vec<Tensor>), TrainError> {
        let sink = Sink::default();
        let nll = self.fused_nll(batch, &sink)?;
        let mut found = (&nll * scale)?.backward()?;
        let gradients = self.parameters().iter().map(|p| {
            match (found.remove(p.tensor()), sink.take(p.tensor())) {
                // Both for an embedding that is also the output head.
                (Some(a), Some(b)) => a + b,
                (Some(gradient), None) | (None, Some(gradient)) => Ok(gradient),
                (None, None) => p.tensor().zeros_like(),
            }
        });
        let gradients = gradients.collect::<candle_core::Result<_>>()?;
        Ok((nll.to_dtype(DType::F64)?.to_vec1()?, gradients))
    }
}
