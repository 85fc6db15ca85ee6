//! The metadata of a Llama-like model, read as this library's configuration.

use super::keys::Keys;
use super::{Gguf, TensorInfo, neutral};
use crate::checkpoint::{LayerRole, Role};
use crate::config::{Rope, RopeScaling, RopeStyle};
use crate::kernels::ActivationKind;
use crate::names::Architecture;
use crate::{Config, Error, ShortName};

/// llama.cpp's value where `rope.freq_base` is absent.
const DEFAULT_ROPE_THETA: f32 = 10_000.0;

/// Makes `Given`: each field beside its key.
macro_rules! given {
    (
        required { $($required:ident: $required_key:literal,)* }
        sizes { $($size:ident: $size_key:literal,)* }
        numbers { $($number:ident: $number_key:literal,)* }
    ) => {
        /// What a file says of its model's shape.
        struct Given {
            $($required: usize,)*
            $($size: Option<usize>,)*
            $($number: Option<f32>,)*
        }

        impl Given {
            /// Reads the keys; the required ones must be there.
            fn read(keys: &Keys<'_, '_>) -> Result<Self, Error> {
                let required = [$($required_key),*].len();
                let sizes = [$($required_key,)* $($size_key),*];
                let mut values = sizes.map(|_| None);
                keys.read(&sizes, &mut values, Keys::size)?;
                let mut required = sizes.iter().zip(values).take(required);
                if let Some((name, _)) = required.find(|(_, value)| value.is_none()) {
                    return Err(keys.missing(name));
                }
                let [$($required,)* $($size),*] = values;
                let numbers = [$($number_key),*];
                let mut values = numbers.map(|_| None);
                keys.read(&numbers, &mut values, Keys::number)?;
                let [$($number),*] = values;
                $(let $required = $required.unwrap_or_default();)*
                Ok(Given { $($required,)* $($size,)* $($number,)* })
            }
        }
    };
}

given! {
    required {
        num_heads: "attention.head_count",
        hidden_size: "embedding_length",
        intermediate_size: "feed_forward_length",
        context_length: "context_length",
    }
    sizes {
        num_kv_heads: "attention.head_count_kv",
        key_length: "attention.key_length",
        sliding_window: "attention.sliding_window",
        value_length: "attention.value_length",
        output_width: "embedding_length_out",
        expert_count: "expert_count",
        rotated: "rope.dimension_count",
        vocab_size: "vocab_size",
        output_vocab_size: "vocab_size_out",
    }
    numbers {
        rms_norm_eps: "attention.layer_norm_rms_epsilon",
        attention_scale: "attention.scale",
        rope_theta: "rope.freq_base",
        rope_factor: "rope.scaling.factor",
    }
}

/// A key, what is wrong with its value, and when it is: the result would be wrong then, not
/// merely less exact.
type Rule = (&'static str, &'static str, fn(&Given, &Config) -> bool);

const RULES: [Rule; 7] = [
    ("expert_count", "asks for a mixture of experts", |given, _| {
        given.expert_count.unwrap_or(0) > 0
    }),
    ("embedding_length", "is not a multiple of head_count", |given, _| {
        given.head_dim().is_none() && !given.hidden_size.is_multiple_of(given.num_heads)
    }),
    ("rope.dimension_count", "is not the width of a head", |given, config| {
        given.rotated.is_some_and(|dim| dim != config.head_dim)
    }),
    ("attention.value_length", "is not that of the keys", |given, config| {
        given.value_length.is_some_and(|dim| dim != config.head_dim)
    }),
    ("attention.scale", "is not 1 / sqrt(head_dim)", |given, config| {
        // 0 is llama.cpp's word for 1 / sqrt(head_dim).
        let scale = given.attention_scale.unwrap_or(0.0);
        let usual = (scale * scale * config.head_dim as f32 - 1.0).abs() < 1e-4;
        scale != 0.0 && (scale < 0.0 || !usual)
    }),
    (
        "attention.sliding_window",
        "asks for attention in a window, which is not computed",
        |given, config| {
            let window = given.sliding_window.unwrap_or(0);
            window > 0 && window < config.context_length
        },
    ),
    ("embedding_length_out", "is not embedding_length", |given, config| {
        given.output_width.is_some_and(|width| width != 0 && width != config.hidden_size)
    }),
];

impl Given {
    /// The width of a head, where the file states it.
    fn head_dim(&self) -> Option<usize> {
        self.key_length.or(self.rotated)
    }
}

impl<'w> Keys<'_, 'w> {
    pub(super) fn config(&self) -> Result<Config, Error> {
        self.refuse_what_is_not_computed()?;
        let given = Given::read(self)?;
        let vocab_size = self.vocab_size(given.vocab_size)?;
        let Given { num_heads, hidden_size, intermediate_size, context_length, .. } = given;
        let config = Config {
            vocab_size,
            // llama.cpp's key for Apertus 1.5; 0 says as many as the embedding has, too.
            output_vocab_size: match given.output_vocab_size {
                None | Some(0) => vocab_size,
                Some(rows) => rows,
            },
            hidden_size,
            intermediate_size,
            num_layers: self.layers()?,
            num_heads,
            num_kv_heads: given.num_kv_heads.unwrap_or(num_heads),
            head_dim: match given.head_dim() {
                Some(head_dim) => head_dim,
                None => hidden_size.checked_div(num_heads).unwrap_or(0),
            },
            context_length,
            rms_norm_eps: given
                .rms_norm_eps
                .ok_or(self.missing("attention.layer_norm_rms_epsilon"))?,
            rope: Rope {
                theta: given.rope_theta.unwrap_or(DEFAULT_ROPE_THETA),
                style: self.rope_style()?,
                scaling: self.rope_scaling(given.rope_factor)?,
            },
            hidden_act: self.hidden_act()?,
            qk_norm: self.qk_norm(),
            tie_word_embeddings: self.find_tensor(Role::Output).is_none(),
        };
        if let Some((name, problem, _)) = RULES.iter().find(|(.., broken)| broken(&given, &config))
        {
            return Err(self.bad(name, problem));
        }
        config.validate()?;
        self.refuse_unknown_tensors(&config)?;
        Ok(config)
    }

    /// Refuses models whose results would be wrong, not merely less exact.
    fn refuse_what_is_not_computed(&self) -> Result<(), Error> {
        if self.split.parts.len() == 1 && self.gguf.part_count()? > 1 {
            return Err(Error::BadKey {
                key: "split.count".into(),
                problem: "says that this is one of several files: all of them are the model",
            });
        }
        self.pairs().try_for_each(|(name, value)| neutral::check(self.key(""), name, value))
    }

    /// Refuses tensors that would change the result if they were left out, as llama.cpp does. If
    /// others are missing, these may be theirs by another name: loading says what is missing.
    fn refuse_unknown_tensors(&self, config: &Config) -> Result<(), Error> {
        let (mut known, mut unknown) = (0, None);
        for info in self.split.parts.iter().flat_map(Gguf::tensors) {
            let used = match Role::from_gguf_name(info.name) {
                Some(Role::Layer(layer, role)) => layer < config.num_layers && role.is_in(config),
                Some(Role::RopeFreqs) => continue,
                Some(_) => true,
                // RoPE's frequencies, which old files have for every layer: computed here.
                None if info.name.ends_with(".attn_rot_embd.weight") => continue,
                None => false,
            };
            if !used && info.name.ends_with(".bias") {
                return Err(Error::Config("it has bias tensors, which are not supported"));
            }
            if used {
                known += 1;
            } else if unknown.is_none() {
                unknown = Some(info.name);
            }
        }
        match unknown {
            Some(name) if known >= Role::all(config).count() => {
                Err(Error::UnknownTensor(ShortName::new(name)))
            }
            _ => Ok(()),
        }
    }

    fn find_tensor(&self, role: Role) -> Option<TensorInfo<'w>> {
        self.split.parts.iter().find_map(|part| part.find(role))
    }

    /// As stated, or the embedding's rows.
    fn vocab_size(&self, stated: Option<usize>) -> Result<usize, Error> {
        if let Some(size) = stated {
            return Ok(size);
        }
        let role = Role::TokenEmbd;
        let embedding = self.find_tensor(role).ok_or(Error::MissingTensor(role))?;
        let rows = embedding.dims().get(1).and_then(|&rows| usize::try_from(rows).ok());
        rows.ok_or(Error::TensorRank { role, dims: embedding.dims().len() })
    }

    fn rope_style(&self) -> Result<RopeStyle, Error> {
        match self.architecture {
            Architecture::Apertus => Ok(RopeStyle::Neox),
            Architecture::Llama => Ok(RopeStyle::Interleaved),
            Architecture::XieluLlama => match self.string("rope.style")? {
                None | Some("neox") => Ok(RopeStyle::Neox),
                Some("interleaved") => Ok(RopeStyle::Interleaved),
                Some(_) => Err(self.bad("rope.style", "is neither neox nor interleaved")),
            },
        }
    }

    /// As llama.cpp reads it: linear unless another type is named, by a factor of 1 unless one
    /// is given, by its present name or the old one. (The llama3 scaling is in the tensor
    /// `rope_freqs`.)
    fn rope_scaling(&self, factor: Option<f32>) -> Result<RopeScaling, Error> {
        let (name, factor) = match factor {
            None => ("rope.scale_linear", self.number("rope.scale_linear")?),
            factor => ("rope.scaling.factor", factor),
        };
        match (self.string("rope.scaling.type")?, factor) {
            (Some("none"), _) | (None | Some("linear"), None) => Ok(RopeScaling::None),
            (None | Some("linear"), Some(factor)) => {
                let usable = factor.is_finite() && factor > 0.0;
                let scaling = usable.then_some(RopeScaling::Linear { factor });
                scaling.ok_or(self.bad(name, "is not positive and finite"))
            }
            (Some(_), _) => Err(self.bad("rope.scaling.type", "is neither none nor linear")),
        }
    }

    fn hidden_act(&self) -> Result<ActivationKind, Error> {
        const KEY: &str = "hidden_act";
        const ACTS: [(&str, ActivationKind); 4] = [
            ("xielu", ActivationKind::Xielu),
            ("silu", ActivationKind::Swiglu),
            ("xiprelu", ActivationKind::Xiprelu),
            ("relu2", ActivationKind::Relu2),
        ];
        let [xielu, silu, ..] = &ACTS;
        let given = self.string(KEY)?;
        let of_architecture = match self.architecture {
            Architecture::Apertus => xielu,
            Architecture::Llama => silu,
            Architecture::XieluLlama => {
                let name = given.ok_or(self.missing(KEY))?;
                let known = ACTS.iter().find(|(known, _)| *known == name);
                let problem = "is none of xielu, xiprelu, relu2 and silu";
                return known.map(|&(_, act)| act).ok_or(self.bad(KEY, problem));
            }
        };
        match given {
            Some(other) if other != of_architecture.0 => {
                Err(self.bad(KEY, "is not that of this architecture"))
            }
            _ => Ok(of_architecture.1),
        }
    }

    fn qk_norm(&self) -> bool {
        match self.architecture {
            Architecture::Apertus => true,
            Architecture::Llama => false,
            Architecture::XieluLlama => {
                self.find_tensor(Role::Layer(0, LayerRole::AttnQNorm)).is_some()
            }
        }
    }
}
