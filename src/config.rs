//! The shape of a model: plain numbers, read from a checkpoint and trusted only after
//! [`Config::validate`].

use crate::Error;
use crate::kernels::built;

/// Which function the MLP applies between its projections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HiddenAct {
    /// `down(xielu(up(x)))`.
    Xielu,
    /// `down(xiprelu(up(x)))`.
    Xiprelu,
    /// `down(relu(up(x))^2)`.
    Relu2,
    /// `down(silu(gate(x)) * up(x))`.
    Swiglu,
}

impl HiddenAct {
    /// Whether the MLP has a third matrix, `gate_proj`.
    pub const fn is_gated(self) -> bool {
        matches!(self, HiddenAct::Swiglu)
    }

    /// Whether it is compiled; see [`built`].
    pub const fn is_built(self) -> bool {
        match self {
            HiddenAct::Xielu => built::XIELU,
            HiddenAct::Xiprelu => built::XIPRELU,
            HiddenAct::Relu2 => built::RELU2,
            HiddenAct::Swiglu => built::SWIGLU,
        }
    }

    /// Whether every layer stores `alpha_p` and `alpha_n`.
    pub const fn has_alphas(self) -> bool {
        matches!(self, HiddenAct::Xielu | HiddenAct::Xiprelu)
    }
}

/// Which elements of a head RoPE rotates together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RopeStyle {
    /// Element `i` with `i + dim/2` (Hugging Face's rotate-half; GGUF architecture `apertus`).
    Neox,
    /// Element `2i` with `2i + 1` (GGUF architecture `llama`, whose q and k rows are permuted).
    Interleaved,
}

/// How RoPE's frequencies are stretched for long contexts.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum RopeScaling {
    /// Not at all. A `rope_freqs` tensor, where there is one, divides the frequencies all the
    /// same: GGUF carries the llama3 scaling that way.
    None,
    /// Every frequency divided by the factor.
    Linear {
        /// The divisor.
        factor: f32,
    },
    /// Llama 3's: low frequencies divided by `factor`, high ones kept, a ramp between.
    Llama3 {
        /// Divisor of the low frequencies.
        factor: f32,
        /// Wavelengths above `original_context / low_freq_factor` are low frequencies.
        low_freq_factor: f32,
        /// Wavelengths below `original_context / high_freq_factor` are high frequencies.
        high_freq_factor: f32,
        /// The context the model was first trained with.
        original_context: u32,
    },
}

/// Rotary position embedding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rope {
    /// Base of the geometric series of wavelengths.
    pub theta: f32,
    /// Which elements pair up.
    pub style: RopeStyle,
    /// Long-context scaling.
    pub scaling: RopeScaling,
}

/// The shape of a Llama-like decoder.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// Rows of the embedding: ids that a text may have.
    pub vocab_size: usize,
    /// Rows of the output head: logits of a token, for ids from 0. Less than `vocab_size` where a
    /// model reads tokens that it never writes, such as those of images.
    pub output_vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the MLP's hidden vector (ffn).
    pub intermediate_size: usize,
    /// Number of layers.
    pub num_layers: usize,
    /// Query heads.
    pub num_heads: usize,
    /// Key/value heads; divides `num_heads`.
    pub num_kv_heads: usize,
    /// Width of one head; even.
    pub head_dim: usize,
    /// Longest context the model was trained for.
    pub context_length: usize,
    /// Added to the mean square in RMSNorm.
    pub rms_norm_eps: f32,
    /// Rotary position embedding.
    pub rope: Rope,
    /// The MLP's activation.
    pub hidden_act: HiddenAct,
    /// Whether queries and keys are normalised per head, before RoPE.
    pub qk_norm: bool,
    /// Whether the output head is the embedding.
    pub tie_word_embeddings: bool,
}

impl Config {
    /// Checks that the numbers describe a decoder this library runs.
    ///
    /// # Errors
    /// [`Error::Config`] naming the first rule that is broken.
    pub const fn validate(&self) -> Result<(), Error> {
        macro_rules! rule {
            ($cond:expr, $what:literal) => {
                let holds: bool = $cond;
                if !holds {
                    return Err(Error::Config($what));
                }
            };
        }
        rule!(self.vocab_size > 0, "vocab_size is 0");
        rule!(
            self.output_vocab_size > 0 && self.output_vocab_size <= self.vocab_size,
            "output_vocab_size is not between 1 and vocab_size"
        );
        rule!(
            !self.tie_word_embeddings || self.output_vocab_size == self.vocab_size,
            "the output head is the embedding, but output_vocab_size is not vocab_size"
        );
        rule!(self.hidden_size > 0, "hidden_size is 0");
        rule!(self.intermediate_size > 0, "intermediate_size is 0");
        rule!(self.num_layers > 0, "num_layers is 0");
        rule!(self.num_heads > 0, "num_heads is 0");
        rule!(self.num_kv_heads > 0, "num_kv_heads is 0");
        rule!(
            self.num_heads.is_multiple_of(self.num_kv_heads),
            "num_heads is not a multiple of num_kv_heads"
        );
        rule!(self.head_dim > 0 && self.head_dim.is_multiple_of(2), "head_dim is not even");
        rule!(self.context_length > 0, "context_length is 0");
        rule!(self.rms_norm_eps >= 0.0, "rms_norm_eps is negative or NaN");
        rule!(
            self.rope.theta > 0.0 && self.rope.theta < f32::INFINITY,
            "rope theta is not positive and finite"
        );
        let limit = u32::MAX as usize / 2;
        rule!(self.vocab_size <= limit, "vocab_size is absurd");
        rule!(self.hidden_size <= 1 << 20, "hidden_size is absurd");
        rule!(self.intermediate_size <= 1 << 24, "intermediate_size is absurd");
        rule!(self.num_layers <= 1 << 12, "num_layers is absurd");
        rule!(self.num_heads <= 1 << 12, "num_heads is absurd");
        rule!(self.head_dim <= 1 << 12, "head_dim is absurd");
        rule!(self.context_length <= limit, "context_length is absurd");
        Ok(())
    }

    /// Width of all query heads together.
    pub const fn q_size(&self) -> usize {
        self.num_heads * self.head_dim
    }

    /// Width of all key (or value) heads together.
    pub const fn kv_size(&self) -> usize {
        self.num_kv_heads * self.head_dim
    }
}
