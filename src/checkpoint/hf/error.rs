//! What can go wrong with a Hugging Face directory.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::string::String;
use std::vec::Vec;

use safetensors::{Dtype, SafeTensorError};

/// Why a directory is not a usable checkpoint. Every message names the file or tensor.
#[derive(Debug)]
#[non_exhaustive]
pub enum HfError {
    /// A file could not be read.
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A file is not the JSON it should be.
    Json {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: serde_json::Error,
    },
    /// `config.json` lacks a key that has no default.
    MissingKey(&'static str),
    /// `config.json` asks for something this library does not run.
    Unsupported {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What would be accepted.
        accepted: &'static str,
    },
    /// The numbers of `config.json` do not describe a decoder.
    Config(crate::Error),
    /// Neither `model.safetensors` nor `model.safetensors.index.json` is there.
    NoWeights(PathBuf),
    /// The index names a shard that is not a plain file name.
    ShardPath(String),
    /// A safetensors file is malformed or truncated.
    Safetensors {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: SafeTensorError,
    },
    /// Two shards hold the same tensor.
    DuplicateTensor {
        /// The tensor.
        name: String,
        /// Both files.
        shards: [PathBuf; 2],
    },
    /// The index promises a tensor that its shard does not hold.
    NotInShard {
        /// The tensor.
        name: String,
        /// The shard.
        shard: String,
    },
    /// A tensor that the configuration calls for is absent.
    MissingTensor(String),
    /// A tensor has another shape than the configuration gives it.
    Shape {
        /// The tensor.
        name: String,
        /// By the configuration.
        expected: Vec<usize>,
        /// In the file.
        found: Vec<usize>,
    },
    /// A tensor's type is not F32, F16 or BF16.
    DType {
        /// The tensor.
        name: String,
        /// Its type.
        dtype: Dtype,
    },
    /// One of the activation's scalars is NaN or infinite.
    NotFinite(String),
    /// A tensor exists that would change the result if it were left out, such as a bias.
    UnusedTensor(String),
    /// `tokenizer.json` cannot be stored in a GGUF file.
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// The reason, and what to do.
        reason: String,
    },
}

impl fmt::Display for HfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HfError::Io { path, source } => write!(f, "cannot read {}: {source}", path.display()),
            HfError::Json { path, source } => {
                write!(f, "{} is not valid: {source}", path.display())
            }
            HfError::MissingKey(key) => write!(f, "config.json has no `{key}`"),
            HfError::Unsupported { key, value, accepted } => {
                write!(f, "config.json: `{key}` is {value}, supported: {accepted}")
            }
            HfError::Config(e) => write!(f, "config.json: {e}"),
            HfError::NoWeights(dir) => write!(
                f,
                "{} holds neither model.safetensors nor model.safetensors.index.json",
                dir.display()
            ),
            HfError::ShardPath(shard) => {
                write!(f, "model.safetensors.index.json names {shard:?}, not a plain file name")
            }
            HfError::Safetensors { path, source } => {
                write!(f, "{} is malformed or truncated: {source}", path.display())
            }
            HfError::DuplicateTensor { name, shards: [a, b] } => {
                write!(f, "tensor {name} is in {} and in {}", a.display(), b.display())
            }
            HfError::NotInShard { name, shard } => {
                write!(f, "the index promises tensor {name} in {shard}, which does not hold it")
            }
            HfError::MissingTensor(name) => write!(f, "the checkpoint has no tensor {name}"),
            HfError::Shape { name, expected, found } => {
                write!(f, "tensor {name} has shape {found:?}, config.json asks for {expected:?}")
            }
            HfError::DType { name, dtype } => {
                write!(f, "tensor {name} has type {dtype}, supported: F32, F16, BF16")
            }
            HfError::NotFinite(name) => write!(f, "{name} is NaN or infinite"),
            HfError::UnusedTensor(name) => {
                write!(f, "tensor {name} belongs to no part of this model that is supported")
            }
            HfError::Tokenizer { path, reason } => write!(f, "{}: {reason}", path.display()),
        }
    }
}

impl std::error::Error for HfError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            HfError::Io { source, .. } => Some(source),
            HfError::Json { source, .. } => Some(source),
            HfError::Safetensors { source, .. } => Some(source),
            HfError::Config(source) => Some(source),
            _ => None,
        }
    }
}
