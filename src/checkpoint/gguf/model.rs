//! The metadata of a Llama-like model, read as this library's configuration.

use super::{Gguf, Value};
use crate::checkpoint::{LayerRole, Role};
use crate::config::{HiddenAct, Rope, RopeScaling, RopeStyle};
use crate::{Config, Error, Key, ShortName};

/// llama.cpp's value where `rope.freq_base` is absent.
const DEFAULT_ROPE_THETA: f32 = 10_000.0;

/// The architectures this library runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Architecture {
    /// Swiss AI's Apertus: xIELU and QK-norm.
    Apertus,
    /// Llama: SwiGLU.
    Llama,
    /// What no other architecture covers: keys say which activation and which RoPE.
    XieluLlama,
}

impl Architecture {
    pub(super) fn of(gguf: &Gguf<'_>) -> Result<Self, Error> {
        let key = Key::from("general.architecture");
        let value = gguf.get(key.name).ok_or(Error::MissingKey(key))?;
        let name = value.as_str().ok_or(Error::BadKey { key, problem: "is not a string" })?;
        let known = [Self::Apertus, Self::Llama, Self::XieluLlama];
        let found = known.into_iter().find(|arch| arch.name() == name);
        found.ok_or(Error::UnsupportedArchitecture(ShortName::new(name)))
    }

    const fn name(self) -> &'static str {
        match self {
            Architecture::Apertus => "apertus",
            Architecture::Llama => "llama",
            Architecture::XieluLlama => "xielu-llama",
        }
    }
}

/// The keys under one architecture's prefix.
#[derive(Clone, Copy)]
pub(super) struct Keys<'a, 'w> {
    gguf: &'a Gguf<'w>,
    pub(super) architecture: Architecture,
}

impl<'a, 'w> Keys<'a, 'w> {
    pub(super) fn of(gguf: &'a Gguf<'w>) -> Result<Self, Error> {
        Ok(Keys { gguf, architecture: Architecture::of(gguf)? })
    }

    const fn key(self, name: &'static str) -> Key {
        Key { prefix: self.architecture.name(), name }
    }

    const fn bad(self, name: &'static str, problem: &'static str) -> Error {
        Error::BadKey { key: self.key(name), problem }
    }

    pub(super) fn find(self, name: &'static str) -> Option<Value<'w>> {
        let wanted = self.key(name);
        let matches = |key: &str| {
            let rest = key.strip_prefix(wanted.prefix).and_then(|rest| rest.strip_prefix('.'));
            rest == Some(wanted.name)
        };
        self.gguf.metadata().find(|(key, _)| matches(key)).map(|(_, value)| value)
    }

    fn optional_size(self, name: &'static str) -> Result<Option<usize>, Error> {
        let Some(value) = self.find(name) else {
            return Ok(None);
        };
        let number = value.as_u64().ok_or(self.bad(name, "is not a single unsigned integer"))?;
        let size = usize::try_from(number).map_err(|_| self.bad(name, "is absurdly large"))?;
        Ok(Some(size))
    }

    pub(super) fn size(self, name: &'static str) -> Result<usize, Error> {
        self.optional_size(name)?.ok_or(Error::MissingKey(self.key(name)))
    }

    fn optional_f32(self, name: &'static str) -> Result<Option<f32>, Error> {
        let read = |value: Value<'_>| value.as_f32().ok_or(self.bad(name, "is not an f32"));
        self.find(name).map(read).transpose()
    }

    fn optional_str(self, name: &'static str) -> Result<Option<&'w str>, Error> {
        let read = |value: Value<'w>| value.as_str().ok_or(self.bad(name, "is not a string"));
        self.find(name).map(read).transpose()
    }

    pub(super) fn config(self) -> Result<Config, Error> {
        self.refuse_what_is_not_computed()?;
        let num_heads = self.size("attention.head_count")?;
        let hidden_size = self.size("embedding_length")?;
        let vocab_size = self.vocab_size()?;
        let rms_norm_eps = "attention.layer_norm_rms_epsilon";
        let config = Config {
            vocab_size,
            output_vocab_size: self.output_vocab_size(vocab_size)?,
            hidden_size,
            intermediate_size: self.size("feed_forward_length")?,
            num_layers: self.size("block_count")?,
            num_heads,
            num_kv_heads: self.optional_size("attention.head_count_kv")?.unwrap_or(num_heads),
            head_dim: self.head_dim(hidden_size, num_heads)?,
            context_length: self.size("context_length")?,
            rms_norm_eps: self
                .optional_f32(rms_norm_eps)?
                .ok_or(Error::MissingKey(self.key(rms_norm_eps)))?,
            rope: self.rope()?,
            hidden_act: self.hidden_act()?,
            qk_norm: self.qk_norm(),
            tie_word_embeddings: !self.has_tensor(Role::Output),
        };
        config.validate()?;
        Ok(config)
    }

    /// Refuses models whose results would be wrong, not merely less exact.
    fn refuse_what_is_not_computed(self) -> Result<(), Error> {
        if self.gguf.get("split.count").and_then(|v| v.as_u64()).is_some_and(|n| n > 1) {
            return Err(Error::BadKey {
                key: "split.count".into(),
                problem: "says the model is split over several files; merge them first",
            });
        }
        if self.optional_size("expert_count")?.is_some_and(|n| n > 0) {
            return Err(self.bad("expert_count", "asks for a mixture of experts"));
        }
        if self.gguf.tensors().any(|info| info.name.ends_with(".bias")) {
            return Err(Error::Config("it has bias tensors, which are not supported"));
        }
        Ok(())
    }

    fn has_tensor(self, role: Role) -> bool {
        self.gguf.tensors().any(|info| Role::from_gguf_name(info.name) == Some(role))
    }

    fn vocab_size(self) -> Result<usize, Error> {
        if let Some(size) = self.optional_size("vocab_size")? {
            return Ok(size);
        }
        let role = Role::TokenEmbd;
        let mut tensors = self.gguf.tensors();
        let embedding = tensors.find(|info| Role::from_gguf_name(info.name) == Some(role));
        let embedding = embedding.ok_or(Error::MissingTensor(role))?;
        let rows = embedding.dims().get(1).and_then(|&rows| usize::try_from(rows).ok());
        rows.ok_or(Error::TensorRank { role, dims: embedding.dims().len() })
    }

    /// Rows of the output head: llama.cpp's key for Apertus 1.5, or as many as the embedding has.
    fn output_vocab_size(self, vocab_size: usize) -> Result<usize, Error> {
        Ok(self.optional_size("vocab_size_out")?.unwrap_or(vocab_size))
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
    /// is given. (The llama3 scaling is in the tensor `rope_freqs`.)
    fn rope_scaling(self) -> Result<RopeScaling, Error> {
        let factor = self.optional_f32("rope.scaling.factor")?;
        match (self.optional_str("rope.scaling.type")?, factor) {
            (Some("none"), _) | (None | Some("linear"), None) => Ok(RopeScaling::None),
            (None | Some("linear"), Some(factor)) => {
                let usable = factor.is_finite() && factor > 0.0;
                let scaling = usable.then_some(RopeScaling::Linear { factor });
                scaling.ok_or(self.bad("rope.scaling.factor", "is not positive and finite"))
            }
            (Some(_), _) => Err(self.bad("rope.scaling.type", "is neither none nor linear")),
        }
    }

    fn hidden_act(self) -> Result<HiddenAct, Error> {
        match self.architecture {
            Architecture::Apertus => Ok(HiddenAct::Xielu),
            Architecture::Llama => Ok(HiddenAct::Swiglu),
            Architecture::XieluLlama => match self.optional_str("hidden_act")? {
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
            Architecture::XieluLlama => self.has_tensor(Role::Layer(0, LayerRole::AttnQNorm)),
        }
    }
}
