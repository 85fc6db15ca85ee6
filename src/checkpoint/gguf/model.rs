//! The metadata of a Llama-like model, read as this library's configuration.

use super::metadata::Metadata;
use super::{Gguf, SplitGguf, TensorInfo, Value, ValueType, neutral, typed};
use crate::checkpoint::{LayerRole, Role};
use crate::config::{HiddenAct, Rope, RopeScaling, RopeStyle};
use crate::{Config, Error, Key, RawXielu, ShortName};

/// llama.cpp's value where `rope.freq_base` is absent.
const DEFAULT_ROPE_THETA: f32 = 10_000.0;
/// Where a file has no `xielu.beta`.
const DEFAULT_BETA: f32 = 0.5;
/// Where a file has no `xielu.eps`.
const DEFAULT_EPS: f32 = -1e-6;
/// The activation's scalars, which have no prefix.
const SCALARS: [&str; 4] = ["xielu.alpha_p", "xielu.alpha_n", "xielu.beta", "xielu.eps"];

/// The architectures this library runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Architecture {
    /// Swiss AI's Apertus: xIELU and QK-norm.
    Apertus,
    /// Llama: SwiGLU.
    Llama,
    /// What no other architecture covers: keys say which activation and which RoPE.
    XieluLlama,
}

impl Architecture {
    const ALL: [Self; 3] = [Self::Apertus, Self::Llama, Self::XieluLlama];

    fn of(gguf: &Gguf<'_>) -> Result<Self, Error> {
        if let Some(known) = gguf.found.architecture {
            return Ok(known);
        }
        let key = "general.architecture";
        let name = gguf.read_str(key)?.ok_or(Error::MissingKey(key.into()))?;
        Err(Error::UnsupportedArchitecture(ShortName::new(name)))
    }

    const fn name(self) -> &'static str {
        match self {
            Architecture::Apertus => "apertus",
            Architecture::Llama => "llama",
            Architecture::XieluLlama => "xielu-llama",
        }
    }
}

/// What every layer asks for, found once: where its values lie. 0 is nowhere, a file beginning
/// with other things.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found {
    architecture: Option<Architecture>,
    block_count: usize,
    /// Of [`SCALARS`].
    scalars: [usize; 4],
    /// Which of them stand under the architecture's prefix only.
    prefixed: [bool; 4],
}

impl Found {
    pub(super) fn of(metadata: &Metadata<'_>) -> Self {
        let mut found = Found::default();
        let architecture = metadata.clone().find(|(key, _)| *key == "general.architecture");
        let Some(name) = architecture.and_then(|(_, value)| value.as_str()) else { return found };
        found.architecture = Architecture::ALL.into_iter().find(|arch| arch.name() == name);
        let mut pairs = metadata.clone();
        while let Some((_, key, position, _)) = pairs.next_at() {
            let bare = key.strip_prefix(name).and_then(|rest| rest.strip_prefix('.'));
            if bare == Some("block_count") {
                found.block_count = position;
            }
            let known = SCALARS.iter().zip(&mut found.scalars).zip(&mut found.prefixed);
            for ((&scalar, place), prefixed) in known {
                // llama.cpp's own keys, the bare ones, win.
                if key == scalar || (bare == Some(scalar) && *place == 0) {
                    (*place, *prefixed) = (position, key != scalar);
                }
            }
        }
        found
    }
}

impl Gguf<'_> {
    /// Whether the activation's scalars stand under keys with an architecture prefix, such as
    /// `apertus.xielu.alpha_p`: they are read, but llama.cpp writes and reads bare keys.
    pub fn prefixed_alpha_keys(&self) -> bool {
        let [alpha_p, alpha_n, ..] = self.found.prefixed;
        self.found.architecture.is_some() && (alpha_p || alpha_n)
    }
}

/// The keys under one architecture's prefix.
#[derive(Clone, Copy)]
pub(super) struct Keys<'p, 'w> {
    split: SplitGguf<'p, 'w>,
    /// The part with the metadata.
    gguf: &'p Gguf<'w>,
    pub(super) architecture: Architecture,
}

impl<'p, 'w> Keys<'p, 'w> {
    pub(super) fn of(split: SplitGguf<'p, 'w>) -> Result<Self, Error> {
        let gguf = split.first()?;
        Ok(Keys { split, gguf, architecture: Architecture::of(gguf)? })
    }

    const fn key(self, name: &'static str) -> Key {
        Key { prefix: self.architecture.name(), name }
    }

    const fn bad(self, name: &'static str, problem: &'static str) -> Error {
        Error::BadKey { key: self.key(name), problem }
    }

    /// The pairs under the prefix, without it.
    fn pairs(self) -> impl Iterator<Item = (&'w str, Value<'w>)> {
        let prefix = self.architecture.name();
        self.gguf.metadata().filter_map(move |(key, value)| {
            Some((key.strip_prefix(prefix)?.strip_prefix('.')?, value))
        })
    }

    fn find(self, name: &'static str) -> Option<Value<'w>> {
        self.pairs().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// How many layers there are; `None` if the file does not say.
    fn layers(self) -> Result<Option<usize>, Error> {
        let value = self.gguf.metadata.value_at(self.gguf.found.block_count);
        value.map(|value| typed::size(self.key("block_count"), value)).transpose()
    }

    /// A number given once or for each layer.
    fn single(
        self,
        name: &'static str,
        fits: fn(ValueType) -> bool,
        wanted: &'static str,
    ) -> Result<Option<Value<'w>>, Error> {
        let Some(value) = self.find(name) else { return Ok(None) };
        if value.as_array().is_none() {
            return Ok(Some(value));
        }
        typed::single(self.key(name), value, self.layers()?, fits, wanted).map(Some)
    }

    fn optional_size(self, name: &'static str) -> Result<Option<usize>, Error> {
        let value = self.single(name, ValueType::is_integer, "an unsigned integer")?;
        value.map(|value| typed::size(self.key(name), value)).transpose()
    }

    fn size(self, name: &'static str) -> Result<usize, Error> {
        self.optional_size(name)?.ok_or(Error::MissingKey(self.key(name)))
    }

    fn optional_f32(self, name: &'static str) -> Result<Option<f32>, Error> {
        let value = self.single(name, ValueType::is_number, "a number")?;
        value.map(|value| typed::number(self.key(name), value)).transpose()
    }

    fn optional_str(self, name: &'static str) -> Result<Option<&'w str>, Error> {
        self.find(name).map(|value| typed::string(self.key(name), value)).transpose()
    }

    /// The activation's scalars of one layer.
    pub(super) fn raw_xielu(self, layer: usize) -> Result<RawXielu, Error> {
        let layers = self.layers()?.ok_or(Error::MissingKey(self.key("block_count")))?;
        if layer >= layers {
            return Err(Error::NoSuchLayer(layer));
        }
        let mut scalars = [None; 4];
        let places = SCALARS.iter().zip(self.gguf.found.scalars);
        for ((&name, at), scalar) in places.zip(&mut scalars) {
            if let Some(value) = self.gguf.metadata.value_at(at) {
                *scalar = Some(typed::layer_number(name.into(), value, layer, layers)?);
            }
        }
        let [alpha_p, alpha_n, beta, eps] = scalars;
        Ok(RawXielu {
            alpha_p: alpha_p.ok_or(Error::MissingKey("xielu.alpha_p".into()))?,
            alpha_n: alpha_n.ok_or(Error::MissingKey("xielu.alpha_n".into()))?,
            beta: beta.unwrap_or(DEFAULT_BETA),
            eps: eps.unwrap_or(DEFAULT_EPS),
        })
    }

    pub(super) fn config(self) -> Result<Config, Error> {
        self.refuse_what_is_not_computed()?;
        let num_heads = self.size("attention.head_count")?;
        let hidden_size = self.size("embedding_length")?;
        let vocab_size = self.vocab_size()?;
        let rms_norm_eps = "attention.layer_norm_rms_epsilon";
        let missing = Error::MissingKey(self.key(rms_norm_eps));
        let config = Config {
            vocab_size,
            output_vocab_size: self.output_vocab_size(vocab_size)?,
            hidden_size,
            intermediate_size: self.size("feed_forward_length")?,
            num_layers: self.layers()?.ok_or(Error::MissingKey(self.key("block_count")))?,
            num_heads,
            num_kv_heads: self.optional_size("attention.head_count_kv")?.unwrap_or(num_heads),
            head_dim: self.head_dim(hidden_size, num_heads)?,
            context_length: self.size("context_length")?,
            rms_norm_eps: self.optional_f32(rms_norm_eps)?.ok_or(missing)?,
            rope: self.rope()?,
            hidden_act: self.hidden_act()?,
            qk_norm: self.qk_norm(),
            tie_word_embeddings: self.find_tensor(Role::Output).is_none(),
        };
        config.validate()?;
        self.refuse_what_the_shape_decides(&config)?;
        self.refuse_unknown_tensors(&config)?;
        Ok(config)
    }

    /// Refuses models whose results would be wrong, not merely less exact.
    fn refuse_what_is_not_computed(self) -> Result<(), Error> {
        if self.split.parts.len() == 1 && self.gguf.part_count()? > 1 {
            return Err(Error::BadKey {
                key: "split.count".into(),
                problem: "says that this is one of several files: all of them are the model",
            });
        }
        if self.optional_size("expert_count")?.is_some_and(|n| n > 0) {
            return Err(self.bad("expert_count", "asks for a mixture of experts"));
        }
        let prefix = self.architecture.name();
        self.pairs().try_for_each(|(name, value)| neutral::check(prefix, name, value))
    }

    /// As above, where it takes the model's shape to say so.
    fn refuse_what_the_shape_decides(self, config: &Config) -> Result<(), Error> {
        let scale = self.optional_f32("attention.scale")?.unwrap_or(0.0);
        let head_dim = config.head_dim as f32;
        // 0 is llama.cpp's word for 1 / sqrt(head_dim).
        let usual = scale == 0.0 || (scale * scale * head_dim - 1.0).abs() < 1e-4;
        if !usual || scale < 0.0 {
            return Err(self.bad("attention.scale", "is not 1 / sqrt(head_dim)"));
        }
        let window = self.optional_size("attention.sliding_window")?.unwrap_or(0);
        if window > 0 && window < config.context_length {
            let problem = "asks for attention in a window, which is not computed";
            return Err(self.bad("attention.sliding_window", problem));
        }
        let output = self.optional_size("embedding_length_out")?;
        if output.is_some_and(|width| width != 0 && width != config.hidden_size) {
            return Err(self.bad("embedding_length_out", "is not embedding_length"));
        }
        Ok(())
    }

    /// Refuses tensors that would change the result if they were left out, as llama.cpp does. If
    /// others are missing, these may be theirs by another name: loading says what is missing.
    fn refuse_unknown_tensors(self, config: &Config) -> Result<(), Error> {
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

    fn find_tensor(self, role: Role) -> Option<TensorInfo<'w>> {
        self.split.parts.iter().find_map(|part| part.find(role))
    }

    fn vocab_size(self) -> Result<usize, Error> {
        if let Some(size) = self.optional_size("vocab_size")? {
            return Ok(size);
        }
        let role = Role::TokenEmbd;
        let embedding = self.find_tensor(role).ok_or(Error::MissingTensor(role))?;
        let rows = embedding.dims().get(1).and_then(|&rows| usize::try_from(rows).ok());
        rows.ok_or(Error::TensorRank { role, dims: embedding.dims().len() })
    }

    /// Rows of the output head: llama.cpp's key for Apertus 1.5, or as many as the embedding has,
    /// which 0 says too.
    fn output_vocab_size(self, vocab_size: usize) -> Result<usize, Error> {
        let rows = self.optional_size("vocab_size_out")?.filter(|&rows| rows > 0);
        Ok(rows.unwrap_or(vocab_size))
    }

    fn head_dim(self, hidden_size: usize, num_heads: usize) -> Result<usize, Error> {
        let rotated = self.optional_size("rope.dimension_count")?;
        let head_dim = match self.optional_size("attention.key_length")?.or(rotated) {
            Some(head_dim) => head_dim,
            None if hidden_size.is_multiple_of(num_heads) => {
                hidden_size.checked_div(num_heads).unwrap_or(0)
            }
            None => return Err(self.bad("embedding_length", "is not a multiple of head_count")),
        };
        if rotated.is_some_and(|dim| dim != head_dim) {
            return Err(self.bad("rope.dimension_count", "is not the width of a head"));
        }
        if self.optional_size("attention.value_length")?.is_some_and(|dim| dim != head_dim) {
            return Err(self.bad("attention.value_length", "is not that of the keys"));
        }
        Ok(head_dim)
    }

    fn rope(self) -> Result<Rope, Error> {
        let theta = self.optional_f32("rope.freq_base")?.unwrap_or(DEFAULT_ROPE_THETA);
        Ok(Rope { theta, style: self.rope_style()?, scaling: self.rope_scaling()? })
    }

    fn rope_style(self) -> Result<RopeStyle, Error> {
        match self.architecture {
            Architecture::Apertus => Ok(RopeStyle::Neox),
            Architecture::Llama => Ok(RopeStyle::Interleaved),
            Architecture::XieluLlama => match self.optional_str("rope.style")? {
                None | Some("neox") => Ok(RopeStyle::Neox),
                Some("interleaved") => Ok(RopeStyle::Interleaved),
                Some(_) => Err(self.bad("rope.style", "is neither neox nor interleaved")),
            },
        }
    }

    /// As llama.cpp reads it: linear unless another type is named, by a factor of 1 unless one
    /// is given, by its present name or the old one. (The llama3 scaling is in the tensor
    /// `rope_freqs`.)
    fn rope_scaling(self) -> Result<RopeScaling, Error> {
        let (new, old) = ("rope.scaling.factor", "rope.scale_linear");
        let (name, factor) = match self.optional_f32(new)? {
            None => (old, self.optional_f32(old)?),
            factor => (new, factor),
        };
        match (self.optional_str("rope.scaling.type")?, factor) {
            (Some("none"), _) | (None | Some("linear"), None) => Ok(RopeScaling::None),
            (None | Some("linear"), Some(factor)) => {
                let usable = factor.is_finite() && factor > 0.0;
                let scaling = usable.then_some(RopeScaling::Linear { factor });
                scaling.ok_or(self.bad(name, "is not positive and finite"))
            }
            (Some(_), _) => Err(self.bad("rope.scaling.type", "is neither none nor linear")),
        }
    }

    fn hidden_act(self) -> Result<HiddenAct, Error> {
        let given = self.optional_str("hidden_act")?;
        let of_architecture = |act, name| match given {
            Some(other) if other != name => {
                Err(self.bad("hidden_act", "is not that of this architecture"))
            }
            _ => Ok(act),
        };
        match self.architecture {
            Architecture::Apertus => of_architecture(HiddenAct::Xielu, "xielu"),
            Architecture::Llama => of_architecture(HiddenAct::Swiglu, "silu"),
            Architecture::XieluLlama => match given {
                Some("xielu") => Ok(HiddenAct::Xielu),
                Some("xiprelu") => Ok(HiddenAct::Xiprelu),
                Some("relu2") => Ok(HiddenAct::Relu2),
                Some("silu") => Ok(HiddenAct::Swiglu),
                Some(_) => Err(self.bad("hidden_act", "is none of xielu, xiprelu, relu2 and silu")),
                None => Err(Error::MissingKey(self.key("hidden_act"))),
            },
        }
    }

    fn qk_norm(self) -> bool {
        match self.architecture {
            Architecture::Apertus => true,
            Architecture::Llama => false,
            Architecture::XieluLlama => {
                self.find_tensor(Role::Layer(0, LayerRole::AttnQNorm)).is_some()
            }
        }
    }
}
