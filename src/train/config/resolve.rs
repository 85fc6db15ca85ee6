//! A configuration checked, and converted to what it describes.

use std::format;
use std::string::String;

use super::{ModelConfig, RopeConfig, RopeScalingConfig, TrainConfig};
use crate::checkpoint::Role;
use crate::config::{Config, Rope, RopeScaling, RopeStyle};
use crate::kernels::ActivationKind;
use crate::train::TrainError;

/// Widths of gated MLPs are rounded to a multiple of this, the size of a quantized block.
const FFN_MULTIPLE: usize = 32;

impl TrainConfig {
    /// Reads a configuration and checks all of it.
    ///
    /// # Errors
    /// [`TrainError::Toml`], [`TrainError::Config`] or [`TrainError::Model`]; each names the key.
    pub fn from_toml(text: &str) -> Result<Self, TrainError> {
        let config: TrainConfig = toml::from_str(text)?;
        config.validate()?;
        Ok(config)
    }

    /// Checks the values of all keys.
    ///
    /// # Errors
    /// [`TrainError::Config`] or [`TrainError::Model`], naming the key.
    pub fn validate(&self) -> Result<(), TrainError> {
        self.model.to_config()?;
        let (o, s, b) = (&self.optimizer, &self.schedule, &self.batch);
        let finite = |x: f64| x >= 0.0 && x.is_finite();
        let fraction = |x: f64| (0.0..1.0).contains(&x);
        let sequence_length = self.sequence_length();
        let rules = [
            ("model.initializer_range", finite(self.model.initializer_range), "is not positive"),
            ("optimizer.learning_rate", finite(o.learning_rate), "is not positive and finite"),
            ("optimizer.beta1", fraction(o.beta1), "is not in 0 .. 1"),
            ("optimizer.beta2", fraction(o.beta2), "is not in 0 .. 1"),
            ("optimizer.epsilon", finite(o.epsilon) && o.epsilon > 0.0, "is not positive"),
            ("optimizer.weight_decay", finite(o.weight_decay), "is negative or not finite"),
            ("optimizer.max_grad_norm", o.max_grad_norm > 0.0, "is not positive"),
            ("optimizer.alpha_lr_multiplier", finite(o.alpha_lr_multiplier), "is negative"),
            ("schedule.total_steps", s.total_steps > 0, "is 0"),
            (
                "schedule.decay_fraction",
                (0.0..=1.0).contains(&s.decay_fraction),
                "is not in 0 .. 1",
            ),
            ("batch.sequences", b.sequences > 0, "is 0"),
            ("batch.accumulation", b.accumulation > 0, "is 0"),
            ("batch.sequence_length", sequence_length > 0, "is 0"),
            ("run.keep_checkpoints", self.run.keep_checkpoints > 0, "is 0"),
        ];
        if let Some((key, _, problem)) = rules.into_iter().find(|(_, holds, _)| !holds) {
            return Err(TrainError::Config { key, problem: problem.into() });
        }
        if sequence_length > self.model.context_length {
            let context = self.model.context_length;
            let problem = format!("is {sequence_length}, beyond the model's context of {context}");
            return Err(TrainError::Config { key: "batch.sequence_length", problem });
        }
        Ok(())
    }

    /// Tokens of a sequence.
    pub fn sequence_length(&self) -> usize {
        self.batch.sequence_length.unwrap_or(self.model.context_length)
    }

    /// Tokens of one optimiser step.
    pub fn tokens_per_step(&self) -> usize {
        self.sequence_length() * self.batch.sequences * self.batch.accumulation as usize
    }

    /// The same as TOML, with every default written out.
    ///
    /// # Errors
    /// [`TrainError::Config`] for values that TOML cannot hold.
    pub fn to_toml(&self) -> Result<String, TrainError> {
        toml::to_string_pretty(self)
            .map_err(|e| TrainError::Config { key: "(all)", problem: format!("{e}") })
    }
}

impl ModelConfig {
    /// The decoder's shape.
    ///
    /// # Errors
    /// [`TrainError::Model`] naming the rule that is broken; [`TrainError::Config`] if there is
    /// no `head_dim` and `hidden_size` is not a multiple of `num_heads`.
    pub fn to_config(&self) -> Result<Config, TrainError> {
        let head_dim = match self.head_dim {
            Some(dim) => dim,
            None if self.num_heads > 0 && self.hidden_size.is_multiple_of(self.num_heads) => {
                self.hidden_size / self.num_heads
            }
            None => {
                let problem = "is needed: hidden_size is not a multiple of num_heads".into();
                return Err(TrainError::Config { key: "model.head_dim", problem });
            }
        };
        let config = Config {
            vocab_size: self.vocab_size,
            output_vocab_size: self.vocab_size,
            hidden_size: self.hidden_size,
            intermediate_size: self.intermediate_size,
            num_layers: self.num_layers,
            num_heads: self.num_heads,
            num_kv_heads: self.num_kv_heads.unwrap_or(self.num_heads),
            head_dim,
            context_length: self.context_length,
            rms_norm_eps: self.rms_norm_eps,
            rope: self.rope.to_rope()?,
            hidden_act: self.activation,
            qk_norm: self.qk_norm,
            tie_word_embeddings: self.tie_embeddings,
        };
        config.validate()?;
        Ok(config)
    }

    /// Number of trained values.
    ///
    /// # Errors
    /// As [`ModelConfig::to_config`].
    pub fn parameter_count(&self) -> Result<usize, TrainError> {
        let config = self.to_config()?;
        let of = |role: Role| {
            let (rows, cols) = role.shape(&config);
            rows * cols
        };
        let alphas = if config.hidden_act.has_alphas() { 2 * config.num_layers } else { 0 };
        Ok(Role::all(&config).map(of).sum::<usize>() + alphas)
    }

    /// Floating-point operations that a token of a sequence of `length` costs in training, as
    /// utilisation counts them (Chowdhery et al., arXiv 2204.02311, appendix B): 6 for every
    /// element of a matrix that it is multiplied with, and `12 * layers * heads * head_dim *
    /// length` for attention, as if every position saw all others.
    ///
    /// # Errors
    /// As [`ModelConfig::to_config`].
    pub fn flops_per_token(&self, length: usize) -> Result<f64, TrainError> {
        let config = self.to_config()?;
        // A look-up in an embedding is no product; the output head is one.
        let is_product = |role: &Role| {
            !role.is_vector() && (*role != Role::TokenEmbd || config.tie_word_embeddings)
        };
        let elements = |role: Role| {
            let (rows, cols) = role.shape(&config);
            rows as f64 * cols as f64
        };
        let matrices: f64 = Role::all(&config).filter(is_product).map(elements).sum();
        let width = (config.num_layers * config.num_heads * config.head_dim) as f64;
        Ok(6.0 * matrices + 12.0 * width * length as f64)
    }

    /// The same model with another activation, at the same number of parameters: a gated MLP has
    /// three matrices in place of two, and 2/3 of the width (to the nearest multiple of 32).
    pub fn with_activation(&self, activation: ActivationKind) -> ModelConfig {
        let width = self.intermediate_size;
        let exact = match (self.activation.is_gated(), activation.is_gated()) {
            (false, true) => width * 2 / 3,
            (true, false) => width * 3 / 2,
            _ => return ModelConfig { activation, ..self.clone() },
        };
        let blocks = (exact + FFN_MULTIPLE / 2) / FFN_MULTIPLE;
        let intermediate_size = blocks.max(1) * FFN_MULTIPLE;
        ModelConfig { activation, intermediate_size, ..self.clone() }
    }
}

impl RopeConfig {
    fn to_rope(&self) -> Result<Rope, TrainError> {
        let scaling = match self.scaling {
            None => RopeScaling::None,
            Some(RopeScalingConfig::Linear { factor }) => RopeScaling::Linear { factor },
            Some(RopeScalingConfig::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original_context,
            }) => {
                RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_context }
            }
        };
        let positive = |values: &[f32]| values.iter().all(|v| *v > 0.0 && v.is_finite());
        let usable = match scaling {
            RopeScaling::None => true,
            RopeScaling::Linear { factor } => positive(&[factor]),
            RopeScaling::Llama3 { factor, low_freq_factor: l, high_freq_factor: h, .. } => {
                positive(&[factor, l, h]) && l < h
            }
        };
        if !usable {
            let problem = "needs positive factors, low_freq_factor below high_freq_factor".into();
            return Err(TrainError::Config { key: "model.rope.scaling", problem });
        }
        Ok(Rope { theta: self.theta, style: RopeStyle::Neox, scaling })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    const TOML: &str = r#"
        [model]
        vocab_size = 1024
        hidden_size = 128
        intermediate_size = 672
        num_layers = 4
        num_heads = 4
        num_kv_heads = 2
        context_length = 256
        qk_norm = true
        [model.rope]
        theta = 5e5
        scaling = { type = "llama3", factor = 8.0, low_freq_factor = 1.0, high_freq_factor = 4.0, original_context = 64 }
        [schedule]
        total_steps = 1000
        [batch]
        sequences = 8
    "#;

    #[test]
    fn defaults_are_the_papers() {
        let config = TrainConfig::from_toml(TOML).unwrap();
        let o = &config.optimizer;
        assert_eq!([o.learning_rate, o.beta1, o.beta2, o.weight_decay], [8e-4, 0.9, 0.95, 0.1]);
        assert_eq!((config.schedule.warmup_steps, config.schedule.decay_fraction), (2000, 0.2));
        assert_eq!((config.sequence_length(), config.tokens_per_step()), (256, 2048));
        let shape = config.model.to_config().unwrap();
        assert_eq!((shape.head_dim, shape.num_kv_heads), (32, 2));
        assert_eq!(shape.hidden_act, ActivationKind::Xielu);
        assert!(matches!(
            shape.rope.scaling,
            RopeScaling::Llama3 { factor: 8.0, original_context: 64, .. }
        ));
        let again = TrainConfig::from_toml(&config.to_toml().unwrap()).unwrap();
        assert_eq!(again, config);
    }

    #[test]
    fn errors_name_the_key() {
        let cases = [
            ("total_steps = 1000", "total_step = 1000", "total_step"),
            ("total_steps = 1000", "", "total_steps"),
            ("total_steps = 1000", "total_steps = 0", "schedule.total_steps"),
            ("sequences = 8", "sequences = -8", "sequences"),
            ("sequences = 8", "sequences = 8\nsequence_length = 257", "batch.sequence_length"),
            ("hidden_size = 128", "hidden_size = 126", "model.head_dim"),
            ("num_heads = 4", "num_heads = 5\nhead_dim = 32", "num_kv_heads"),
            ("factor = 8.0", "factor = -8.0", "model.rope.scaling"),
            ("\"llama3\"", "\"yarn\"", "yarn"),
            ("qk_norm = true", "activation = \"gelu\"", "gelu"),
            ("[schedule]", "[optimizer]\nbeta2 = 1.0\n[schedule]", "optimizer.beta2"),
            ("[schedule]", "[optimizer]\nlearning_rate = nan\n[schedule]", "learning_rate"),
        ];
        for (from, to, key) in cases {
            let error = TrainConfig::from_toml(&TOML.replacen(from, to, 1)).unwrap_err();
            assert!(error.to_string().contains(key), "{key}: {error}");
        }
    }

    #[test]
    fn operations_of_a_token_by_hand() {
        let model = TrainConfig::from_toml(TOML).unwrap().model;
        // q and output of 4 heads of 32, k and v of 2; up and down; the head.
        let layer = 2 * 128 * 128 + 2 * 128 * 64 + 2 * 128 * 672;
        let matrices = 4 * layer + 1024 * 128;
        let expected = 6 * matrices + 12 * 4 * 128 * 256;
        assert_eq!(model.flops_per_token(256).unwrap(), f64::from(expected));
        let tied = ModelConfig { tie_embeddings: true, ..model };
        assert_eq!(tied.flops_per_token(256).unwrap(), f64::from(expected));
        assert!(ModelConfig { num_heads: 0, ..tied }.flops_per_token(256).is_err());
    }

    #[test]
    fn gated_widths_keep_the_number_of_parameters() {
        let model = TrainConfig::from_toml(TOML).unwrap().model;
        let gated = model.with_activation(ActivationKind::Swiglu);
        assert_eq!(gated.intermediate_size, 448);
        assert_eq!(gated.with_activation(ActivationKind::Relu2).intermediate_size, 672);
        assert_eq!(model.with_activation(ActivationKind::Xiprelu).intermediate_size, 672);
        let paper = ModelConfig { intermediate_size: 9216, ..model };
        assert_eq!(paper.with_activation(ActivationKind::Swiglu).intermediate_size, 6144);
    }
}
