//! Hugging Face directories: `config.json` and safetensors files.

mod config;
mod error;
mod generation;
mod names;
mod shards;
mod special;
mod templates;
mod text;
mod vocabulary;

use std::borrow::ToOwned;
use std::format;
use std::fs;
use std::path::{Path, PathBuf};
use std::string::String;
use std::vec;

use safetensors::Dtype;

pub use error::HfError;
pub use templates::ChatTemplate;
#[cfg(feature = "tokenizer")]
pub(crate) use text::TextFiles;
pub use vocabulary::{TokenKind, Vocabulary, VocabularyOptions};

use super::{Checkpoint, LayerRole, Role, Tensor};
use crate::kernels::{Blocks, DType};
use crate::{Config, Error, RawXielu};
use config::{ConfigJson, TokenIds};
use shards::{Entry, Shards};

/// The prefixes of the decoder's tensors; the second is that of models with other modalities.
const PREFIXES: [&str; 2] = ["model.", "model.language_model."];

/// An open directory. Weights are mapped, not read: see
/// [`MappedFile`](crate::kernels::MappedFile) for what that asks of you.
///
/// Everything a [`Checkpoint`] can be asked for is looked up and checked by [`HfDir::open`].
#[derive(Debug)]
pub struct HfDir {
    path: PathBuf,
    prefix: &'static str,
    shards: Shards,
    config: Config,
    alphas: vec::Vec<RawXielu>,
    special: SpecialTokens,
}

/// The special token ids of `config.json`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpecialTokens {
    /// Begin of sequence.
    pub bos: Option<u32>,
    /// End of sequence; the first, where there are several.
    pub eos: Option<u32>,
    /// Padding.
    pub pad: Option<u32>,
}

impl HfDir {
    /// Opens the directory at `path` and checks all of it: configuration, shards, and the
    /// presence, shape and type of every tensor.
    ///
    /// # Errors
    /// [`HfError`], naming the file, key or tensor.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, HfError> {
        let path = path.as_ref();
        let json: ConfigJson = read_json(&path.join("config.json"))?;
        let text = json.text();
        let shards = Shards::open(path)?;
        let prefix = find_prefix(&shards)?;
        let qk_norm = shards.get(&format!("{prefix}layers.0.self_attn.q_norm.weight")).is_some();
        let config = text.config(qk_norm)?;
        // Models with several parts have the ids in either place.
        let id = |ids: fn(&ConfigJson) -> &Option<TokenIds>| {
            let found = ids(text).as_ref().or(ids(&json).as_ref());
            found.and_then(TokenIds::first)
        };
        let special = SpecialTokens {
            bos: id(|json| &json.bos_token_id),
            eos: id(|json| &json.eos_token_id),
            pad: id(|json| &json.pad_token_id),
        };
        let path = path.to_owned();
        let mut dir = HfDir { path, prefix, shards, config, alphas: vec![], special };
        dir.check_tensors()?;
        dir.refuse_unused()?;
        dir.alphas = dir.read_alphas()?;
        Ok(dir)
    }

    /// Whether `path` is a directory with a `config.json`: worth handing to [`HfDir::open`].
    pub fn looks_like(path: impl AsRef<Path>) -> bool {
        shards::is_checkpoint(path.as_ref())
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The tokenizer's file, which may not exist.
    pub fn tokenizer_path(&self) -> PathBuf {
        self.path.join("tokenizer.json")
    }

    /// The special token ids.
    pub fn special_tokens(&self) -> SpecialTokens {
        self.special
    }

    /// The safetensors files.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.shards.files()
    }

    /// The full name of the tensor that plays `role`, if there is one.
    pub fn tensor_name(&self, role: Role) -> Option<String> {
        self.entry(role).map(|(name, _)| name)
    }

    fn entry(&self, role: Role) -> Option<(String, &Entry)> {
        if role == Role::Output && self.config.tie_word_embeddings {
            return None;
        }
        role.hf_names().iter().find_map(|suffix| {
            let name = full_name(self.prefix, role, suffix);
            self.shards.get(&name).map(|entry| (name, entry))
        })
    }

    fn check_tensors(&self) -> Result<(), HfError> {
        for role in Role::all(&self.config) {
            let shape = role.shape(&self.config);
            match (self.entry(role), role.hf_names().first()) {
                (Some((name, entry)), _) => check_tensor(name, entry, role, shape)?,
                (None, Some(suffix)) => {
                    return Err(HfError::MissingTensor(full_name(self.prefix, role, suffix)));
                }
                (None, None) => {}
            }
        }
        Ok(())
    }

    /// Refuses what would silently change the result: biases, gates of ungated models, norms of
    /// single layers, layers beyond the configured number.
    fn refuse_unused(&self) -> Result<(), HfError> {
        let layers = format!("{}layers.", self.prefix);
        for name in self.shards.names() {
            let Some((number, rest)) =
                name.strip_prefix(&layers).and_then(|tail| tail.split_once('.'))
            else {
                continue;
            };
            let known = rest.ends_with("rotary_emb.inv_freq")
                || rest.starts_with("mlp.act_fn.")
                || LayerRole::ALL
                    .iter()
                    .any(|role| role.is_in(&self.config) && role.hf_names().contains(&rest));
            let inside = number.parse::<usize>().is_ok_and(|n| n < self.config.num_layers);
            if !(known && inside) {
                return Err(HfError::UnusedTensor(name.into()));
            }
        }
        Ok(())
    }

    fn read_alphas(&self) -> Result<vec::Vec<RawXielu>, HfError> {
        if !self.config.hidden_act.has_alphas() {
            return Ok(vec![]);
        }
        (0..self.config.num_layers)
            .map(|layer| {
                let name = |key| format!("{}layers.{layer}.mlp.act_fn.{key}", self.prefix);
                let alpha =
                    |key| self.scalar(&name(key))?.ok_or_else(|| HfError::MissingTensor(name(key)));
                Ok(RawXielu {
                    alpha_p: alpha("alpha_p")?,
                    alpha_n: alpha("alpha_n")?,
                    beta: self.scalar(&name("beta"))?.unwrap_or(0.5),
                    eps: self.scalar(&name("eps"))?.unwrap_or(-1e-6),
                })
            })
            .collect()
    }

    /// The value of a tensor of shape `[]` or `[1]`.
    fn scalar(&self, name: &str) -> Result<Option<f32>, HfError> {
        let Some(entry) = self.shards.get(name) else {
            return Ok(None);
        };
        if !matches!(*entry.shape, [] | [1]) {
            let found = entry.shape.clone();
            return Err(HfError::Shape { name: name.into(), expected: vec![1], found });
        }
        let dtype = dtype(name, entry)?;
        let data = self.shards.data(entry).unwrap_or_default();
        let mut value = [0.0];
        match Blocks::new(dtype, data) {
            Some(blocks) if blocks.dequantize(&mut value) && value[0].is_finite() => {
                Ok(Some(value[0]))
            }
            _ => Err(HfError::NotFinite(name.into())),
        }
    }
}

impl<'w> Checkpoint<'w> for &'w HfDir {
    fn config(&self) -> Result<Config, Error> {
        Ok(self.config)
    }

    fn tensor(&self, role: Role) -> Result<Option<Tensor<'w>>, Error> {
        let dir: &'w HfDir = self;
        let Some((name, entry)) = dir.entry(role) else {
            return Ok(None);
        };
        let (rows, cols) = role.shape(&dir.config);
        let dtype = dtype(&name, entry).map_err(|_| Error::MissingTensor(role))?;
        let data = dir.shards.data(entry).ok_or(Error::MissingTensor(role))?;
        Ok(Some(Tensor { dtype, rows, cols, data }))
    }

    fn raw_xielu(&self, layer: usize) -> Result<RawXielu, Error> {
        if !self.config.hidden_act.has_alphas() {
            return Err(Error::Config("its activation has no alphas"));
        }
        self.alphas.get(layer).copied().ok_or(Error::NoSuchLayer(layer))
    }
}

/// The prefix under which layer 0 lies.
fn find_prefix(shards: &Shards) -> Result<&'static str, HfError> {
    let has = |prefix: &str| shards.get(&format!("{prefix}embed_tokens.weight")).is_some();
    PREFIXES
        .into_iter()
        .find(|prefix| has(prefix))
        .ok_or_else(|| HfError::MissingTensor("model.embed_tokens.weight".into()))
}

fn full_name(prefix: &str, role: Role, suffix: &str) -> String {
    match role {
        Role::Output => suffix.into(),
        Role::Layer(n, _) => format!("{prefix}layers.{n}.{suffix}"),
        _ => format!("{prefix}{suffix}"),
    }
}

fn check_tensor(
    name: String,
    entry: &Entry,
    role: Role,
    (rows, cols): (usize, usize),
) -> Result<(), HfError> {
    dtype(&name, entry)?;
    let expected = if role.is_vector() { vec![cols] } else { vec![rows, cols] };
    if entry.shape != expected {
        return Err(HfError::Shape { name, expected, found: entry.shape.clone() });
    }
    Ok(())
}

fn dtype(name: &str, entry: &Entry) -> Result<DType, HfError> {
    match entry.dtype {
        Dtype::F32 => Ok(DType::F32),
        Dtype::F16 => Ok(DType::F16),
        Dtype::BF16 => Ok(DType::BF16),
        dtype => Err(HfError::DType { name: name.into(), dtype }),
    }
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, HfError> {
    let text = fs::read(path).map_err(|source| HfError::Io { path: path.to_owned(), source })?;
    serde_json::from_slice(&text).map_err(|source| HfError::Json { path: path.to_owned(), source })
}
