//! The shape of a model: plain numbers, read from a checkpoint and trusted only after
//! [`Config::validate`].

pub(crate) mod raw_xielu;

use crate::Error;
use crate::kernels::ActivationKind;

/// Which elements of a head RoPE rotates together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RopeStyle {
    /// Element `i` with `i + dim/2` (Hugging Face's rotate-half; GGUF architecture `apertus`).
    Neox,
    /// Element `2i` with `2i + 1` (GGUF architecture `llama`, whose q and k rows are permuted).
    Interleaved,
}

/// How RoPE's frequencies are stretched for long contexts.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
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
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
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
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
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
    pub hidden_act: ActivationKind,
    /// Whether queries and keys are normalised per head, before RoPE.
    pub qk_norm: bool,
    /// Whether the output head is the embedding.
    pub tie_word_embeddings: bool,
}

/// The table of ranges: what each number is called, the least and the most it may be.
///
/// NaN is in no range. Sizes keep every product of two of them, and every index of a token, within
/// 32 bits where a model of that size fits memory at all; numbers keep f32 from overflowing.
macro_rules! check_ranges {
    ($($value:expr, $name:literal: $low:literal to $high:literal;)*) => {
        $(
            if !($value >= $low && $value <= $high) {
                let rule = concat!($name, " is not between ", $low, " and ", $high);
                return Err(Error::Config(rule));
            }
        )*
    };
}

impl Config {
    /// Checks that the numbers describe a decoder this library runs.
    ///
    /// # Errors
    /// [`Error::Config`] naming the first rule that is broken.
    pub const fn validate(&self) -> Result<(), Error> {
        check_ranges! {
            self.vocab_size, "vocab_size": 1 to 2147483647;
            self.output_vocab_size, "output_vocab_size": 1 to 2147483647;
            self.hidden_size, "hidden_size": 1 to 1048576;
            self.intermediate_size, "intermediate_size": 1 to 16777216;
            self.num_layers, "num_layers": 1 to 4096;
            self.num_heads, "num_heads": 1 to 4096;
            self.num_kv_heads, "num_kv_heads": 1 to 4096;
            self.head_dim, "head_dim": 2 to 4096;
            self.context_length, "context_length": 1 to 2147483647;
            self.rms_norm_eps, "rms_norm_eps": 0.0 to 1.0;
            self.rope.theta, "rope theta": 1.0 to 1e30;
        }
        match self.rope.scaling {
            RopeScaling::None => {}
            RopeScaling::Linear { factor } => check_ranges! {
                factor, "factor of the linear rope scaling": 1e-6 to 1e6;
            },
            RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_context } => {
                check_ranges! {
                    factor, "factor of the llama3 rope scaling": 1e-6 to 1e6;
                    low_freq_factor, "low_freq_factor": 1e-6 to 1e6;
                    high_freq_factor, "high_freq_factor": 1e-6 to 1e6;
                    original_context, "original_max_position_embeddings":
                        1 to 2147483647;
                }
                if low_freq_factor >= high_freq_factor {
                    return Err(Error::Config("high_freq_factor is not above low_freq_factor"));
                }
            }
        }
        macro_rules! rule {
            ($holds:expr, $rule:literal) => {
                let holds: bool = $holds;
                if !holds {
                    return Err(Error::Config($rule));
                }
            };
        }
        rule!(
            self.output_vocab_size <= self.vocab_size,
            "output_vocab_size is more than vocab_size"
        );
        rule!(
            !self.tie_word_embeddings || self.output_vocab_size == self.vocab_size,
            "the output head is the embedding, but output_vocab_size is not vocab_size"
        );
        rule!(
            self.num_heads.is_multiple_of(self.num_kv_heads),
            "num_heads is not a multiple of num_kv_heads"
        );
        rule!(self.head_dim.is_multiple_of(2), "head_dim is not even");
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

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Config = Config {
        vocab_size: 100,
        output_vocab_size: 100,
        hidden_size: 64,
        intermediate_size: 96,
        num_layers: 2,
        num_heads: 4,
        num_kv_heads: 2,
        head_dim: 16,
        context_length: 128,
        rms_norm_eps: 1e-5,
        rope: Rope { theta: 1e4, style: RopeStyle::Neox, scaling: RopeScaling::None },
        hidden_act: ActivationKind::Xielu,
        qk_norm: true,
        tie_word_embeddings: false,
    };

    /// Numbers that no range holds, in every field.
    #[test]
    fn every_number_has_a_range() {
        assert_eq!(GOOD.validate(), Ok(()));
        let sizes: [fn(&mut Config) -> &mut usize; 9] = [
            |c| &mut c.vocab_size,
            |c| &mut c.output_vocab_size,
            |c| &mut c.hidden_size,
            |c| &mut c.intermediate_size,
            |c| &mut c.num_layers,
            |c| &mut c.num_heads,
            |c| &mut c.num_kv_heads,
            |c| &mut c.head_dim,
            |c| &mut c.context_length,
        ];
        for (i, field) in sizes.into_iter().enumerate() {
            for value in [0, usize::MAX / 2, usize::MAX] {
                let mut config = GOOD;
                *field(&mut config) = value;
                assert!(config.validate().is_err(), "size {i} = {value}");
            }
        }
        let scaled = |scaling| Config { rope: Rope { scaling, ..GOOD.rope }, ..GOOD };
        let llama3 = |factor, low_freq_factor, high_freq_factor, original_context| {
            scaled(RopeScaling::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original_context,
            })
        };
        assert_eq!(llama3(8.0, 1.0, 4.0, 64).validate(), Ok(()));
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1.0, 1e-45, 3e38] {
            let rope = Rope { theta: bad, ..GOOD.rope };
            let all = [
                Config { rope, ..GOOD },
                scaled(RopeScaling::Linear { factor: bad }),
                llama3(bad, 1.0, 4.0, 64),
                llama3(8.0, bad, 4.0, 64),
                llama3(8.0, 1.0, bad, 64),
            ];
            for (i, config) in all.iter().enumerate() {
                assert!(matches!(config.validate(), Err(Error::Config(_))), "{i}: {bad}");
            }
            // Almost nothing is a good epsilon.
            let eps = Config { rms_norm_eps: bad, ..GOOD };
            assert_eq!(eps.validate().is_ok(), bad == 1e-45);
        }
        for scaling in [llama3(8.0, 1.0, 4.0, 0), llama3(8.0, 4.0, 4.0, 64)] {
            assert!(scaling.validate().is_err());
        }
        assert!(Config { num_kv_heads: 3, ..GOOD }.validate().is_err());
        assert!(Config { head_dim: 17, ..GOOD }.validate().is_err());
    }
}
