//! Hugging Face directories: `config.json` and safetensors files.

mod config;
mod error;
mod family;
mod file;
mod find;
mod fp8;
mod generation;
mod header;
mod keys;
mod names;
mod quantization;
mod rope;
mod shards;
mod special;
mod templates;
mod tensors;
mod text;
mod vocabulary;
mod weights;

use std::borrow::ToOwned;
use std::collections::HashMap;
use std::format;
use std::path::{Path, PathBuf};
use std::string::String;
use std::sync::OnceLock;
use std::vec;
use std::vec::Vec;

use safetensors::Dtype;

pub use error::HfError;
pub use fp8::Fp8Matrix;
pub use templates::ChatTemplate;
#[cfg(feature = "tokenizer")]
pub(crate) use text::TextFiles;
pub use vocabulary::{Vocabulary, VocabularyOptions};

use super::{Access, Checkpoint, Role, Tensor};
use crate::config::raw_xielu::RawXielu;
pub use crate::names::TokenKind;
use crate::{Config, Error};
use config::ConfigJson;
use quantization::Fp8;
use shards::Shards;

/// An open directory. Weights are mapped, not read: see
/// [`MappedFile`](crate::kernels::MappedFile) for what that needs of the caller.
///
/// Everything that a [`Checkpoint`] returns is looked up and checked by [`HfDir::open`].
///
/// Weights in FP8 are widened one tensor at a time, at its first use, and kept:
/// two bytes a weight (four where the scales are F32). [`HfDir::fp8`] gives them as they are.
#[derive(Debug)]
pub struct HfDir {
    path: PathBuf,
    /// What the decoder's tensors and its output head are called.
    names: (&'static str, &'static str),
    shards: Shards,
    config: Config,
    alphas: Vec<RawXielu>,
    special: SpecialTokens,
    fp8: Option<Fp8>,
    /// The tensors in FP8, once widened; `None` where there was no memory for that.
    widened: HashMap<Role, OnceLock<Option<Vec<u8>>>>,
    notes: Vec<String>,
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
        Self::open_with(path, Access::Map)
    }

    /// As [`HfDir::open`], mapping or reading the weights.
    ///
    /// # Errors
    /// As [`HfDir::open`].
    pub fn open_with(path: impl AsRef<Path>, access: Access) -> Result<Self, HfError> {
        let path = path.as_ref();
        find::refuse_without_config(path)?;
        let json = ConfigJson::read(path)?;
        let fp8 = quantization::read(path, &json)?;
        let shards = Shards::open(path, access)?;
        weights::refuse_other_kinds(path, &shards)?;
        let names = weights::find_names(&shards)?;
        let q_norm = format!("{}layers.0.self_attn.q_norm.weight", names.0);
        let has_qk_norm = shards.get(&q_norm).is_some();
        let tied = json.ties_embeddings()? && !weights::has_own_head(&shards, names);
        let config = json.config(has_qk_norm, tied)?;
        let special = SpecialTokens {
            bos: json.token_id("bos_token_id")?,
            eos: json.token_id("eos_token_id")?,
            pad: json.token_id("pad_token_id")?,
        };
        let (path, widened) = (path.to_owned(), HashMap::new());
        let notes = json.notes()?;
        let mut dir =
            HfDir { path, names, shards, config, alphas: vec![], special, fp8, widened, notes };
        // A tensor of another name explains one that is missing.
        dir.refuse_unused()?;
        dir.check_tensors()?;
        dir.alphas = dir.read_alphas()?;
        dir.prepare_widening()?;
        Ok(dir)
    }

    /// Whether `path` is a directory with a `config.json`: worth handing to [`HfDir::open`].
    pub fn looks_like(path: impl AsRef<Path>) -> bool {
        path.as_ref().join("config.json").is_file()
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The model's name: the directory's, or the repository's where that is a snapshot in a cache.
    pub fn name(&self) -> String {
        find::model_name(&self.path)
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

    /// The tensor that plays `role` as its file has it, if there is one.
    pub fn stored(&self, role: Role) -> Option<StoredTensor<'_>> {
        let (name, entry) = self.entry(role)?;
        let bytes = self.shards.data(entry)?.len();
        Some(StoredTensor { name, dtype: entry.dtype, shape: &entry.shape, bytes })
    }

    /// The tensor that plays `role` with its scales, if it is in FP8.
    pub fn fp8(&self, role: Role) -> Option<Fp8Matrix<'_>> {
        self.fp8_matrix(role).ok().flatten()
    }

    /// Bytes that the weights in FP8 take once all of them are widened.
    pub fn widened_bytes(&self) -> usize {
        let roles = Role::all(&self.config);
        let bytes = roles.filter_map(|role| self.fp8(role)?.widened_len());
        bytes.fold(0, usize::saturating_add)
    }

    /// What a user should know about how the files were read: a line each.
    pub fn notes(&self) -> impl Iterator<Item = &str> {
        self.notes.iter().map(String::as_str)
    }

    fn widened(&self, role: Role) -> Result<Option<Tensor<'_>>, Error> {
        let (Some(matrix), Some(cell)) = (self.fp8(role), self.widened.get(&role)) else {
            return Ok(None);
        };
        let data = cell.get_or_init(|| matrix.widen_all());
        let needed = matrix.widened_len().unwrap_or(usize::MAX);
        let what = "a tensor in FP8, once widened,";
        let data = data.as_deref().ok_or(Error::Memory { what, needed, found: 0 })?;
        let Fp8Matrix { dtype, rows, cols, .. } = matrix;
        Ok(Some(Tensor { dtype, rows, cols, data }))
    }
}

/// A tensor as its file has it.
#[derive(Clone, Debug)]
pub struct StoredTensor<'a> {
    /// Its full name.
    pub name: String,
    /// Its type.
    pub dtype: Dtype,
    /// Its dimensions.
    pub shape: &'a [usize],
    /// Its size in bytes.
    pub bytes: usize,
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
        if let Some(widened) = dir.widened(role)? {
            return Ok(Some(widened));
        }
        let dtype = weights::dtype(&name, entry).map_err(|_| Error::MissingTensor(role))?;
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
