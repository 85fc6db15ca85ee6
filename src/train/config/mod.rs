//! The description of a training run, as TOML.
//!
//! Keys that are left out have the values of the paper (arXiv 2411.13010), where it gives one.
//! Unknown keys are errors.

mod activation;
mod resolve;

use std::path::PathBuf;
use std::string::String;
use std::vec::Vec;

use serde::{Deserialize, Serialize};

pub use activation::ACTIVATIONS;

use crate::kernels::ActivationKind;

/// A training run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// `[model]`.
    pub model: ModelConfig,
    /// `[optimizer]`.
    #[serde(default)]
    pub optimizer: OptimizerConfig,
    /// `[schedule]`.
    pub schedule: ScheduleConfig,
    /// `[batch]`.
    pub batch: BatchConfig,
    /// `[run]`.
    #[serde(default)]
    pub run: RunConfig,
    /// `[data]`.
    #[serde(default)]
    pub data: DataConfig,
}

/// The model's shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Rows of the embedding.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the MLP's hidden vector. [`ModelConfig::with_activation`] keeps the number of
    /// parameters when it replaces the activation.
    pub intermediate_size: usize,
    /// Number of layers.
    pub num_layers: usize,
    /// Query heads.
    pub num_heads: usize,
    /// Key/value heads; as many as query heads when not given.
    pub num_kv_heads: Option<usize>,
    /// Width of one head; `hidden_size / num_heads` when not given.
    pub head_dim: Option<usize>,
    /// Longest context the model is for.
    pub context_length: usize,
    /// Added to the mean square in RMSNorm.
    #[serde(default = "default_norm_eps")]
    pub rms_norm_eps: f32,
    /// The MLP's activation, one of [`ACTIVATIONS`]; xIELU when not given.
    #[serde(default = "activation::default", with = "activation")]
    pub activation: ActivationKind,
    /// Whether queries and keys are normalised per head, before RoPE.
    #[serde(default)]
    pub qk_norm: bool,
    /// Whether the output head is the embedding.
    #[serde(default)]
    pub tie_embeddings: bool,
    /// Standard deviation of the initial weights.
    #[serde(default = "default_initializer_range")]
    pub initializer_range: f64,
    /// `[model.rope]`.
    #[serde(default)]
    pub rope: RopeConfig,
}

/// Rotary position embedding; rotate-half.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RopeConfig {
    /// Base of the geometric series of wavelengths.
    #[serde(default = "default_theta")]
    pub theta: f32,
    /// Long-context scaling; none when not given.
    pub scaling: Option<RopeScalingConfig>,
}

/// Long-context scaling, by its name in `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum RopeScalingConfig {
    /// Every frequency divided by the factor.
    Linear {
        /// The divisor.
        factor: f32,
    },
    /// Llama 3's: see [`RopeScaling::Llama3`](crate::config::RopeScaling::Llama3).
    Llama3 {
        /// Divisor of the low frequencies.
        factor: f32,
        /// Wavelengths above `original_context / low_freq_factor` are low frequencies.
        low_freq_factor: f32,
        /// Wavelengths below `original_context / high_freq_factor` are high frequencies.
        high_freq_factor: f32,
        /// The context the scaling starts from.
        original_context: u32,
    },
}

/// AdamW with clipping of the gradients.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerConfig {
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Decoupled decay of matrices; norms and alphas are not decayed.
    pub weight_decay: f64,
    /// Gradients are scaled down to this global norm.
    pub max_grad_norm: f64,
    /// Learning rate of the alphas, in units of the others'.
    pub alpha_lr_multiplier: f64,
}

/// Warm-up, constant, decay (WSD).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleConfig {
    /// Optimiser steps of the run.
    pub total_steps: u64,
    /// Steps over which the learning rate rises from 0, linearly.
    #[serde(default = "default_warmup")]
    pub warmup_steps: u64,
    /// The part of all steps, at the end, over which it falls to 0 as `1 - sqrt`.
    #[serde(default = "default_decay")]
    pub decay_fraction: f64,
}

/// What one optimiser step sees: `accumulation` micro batches of `sequences` sequences.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchConfig {
    /// Tokens of a sequence; the model's context when not given.
    pub sequence_length: Option<usize>,
    /// Sequences of a micro batch.
    pub sequences: usize,
    /// Micro batches of a step.
    #[serde(default = "default_accumulation")]
    pub accumulation: u32,
}

/// How the run is run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunConfig {
    /// Seed of the initial weights and of the order of the data.
    pub seed: u64,
    /// Steps from one measurement of the validation loss to the next; 0: at the end only.
    pub evaluate_every: u64,
    /// Steps from one checkpoint to the next; 0: at the end only.
    pub checkpoint_every: u64,
    /// Checkpoints that are kept, the newest.
    pub keep_checkpoints: usize,
    /// Threads; 0: as many as the machine has. The same number gives the same bits.
    pub threads: usize,
}

/// Text to train on and its tokenizer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// Text files.
    pub train: Vec<PathBuf>,
    /// A text to measure the validation loss on.
    pub validation: Option<PathBuf>,
    /// Without `validation`: the part of the text, at its end, that is kept for it.
    pub validation_fraction: Option<f64>,
    /// Windows of the validation text that are measured, at most; all when not given.
    pub validation_windows: Option<u64>,
    /// What separates the documents of a text; a file is one document without it.
    pub separator: Option<String>,
    /// A `tokenizer.json`; trained on the text when not given, with the model's `vocab_size`.
    pub tokenizer: Option<PathBuf>,
}

fn default_norm_eps() -> f32 {
    1e-5
}
fn default_initializer_range() -> f64 {
    0.02
}
fn default_theta() -> f32 {
    500_000.0
}
fn default_warmup() -> u64 {
    2000
}
fn default_decay() -> f64 {
    0.2
}
fn default_accumulation() -> u32 {
    1
}

impl Default for RopeConfig {
    fn default() -> Self {
        RopeConfig { theta: default_theta(), scaling: None }
    }
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        OptimizerConfig {
            learning_rate: 8e-4,
            beta1: 0.9,
            beta2: 0.95,
            epsilon: 1e-8,
            weight_decay: 0.1,
            max_grad_norm: 1.0,
            alpha_lr_multiplier: 1.0,
        }
    }
}

impl Default for RunConfig {
    fn default() -> Self {
        RunConfig {
            seed: 0,
            evaluate_every: 500,
            checkpoint_every: 500,
            keep_checkpoints: 2,
            threads: 0,
        }
    }
}
