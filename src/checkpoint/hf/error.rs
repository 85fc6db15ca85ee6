//! What can go wrong with a Hugging Face directory.

use std::fmt::{self, Write as _};
use std::io;
use std::path::{Path, PathBuf};
use std::string::String;
use std::vec::Vec;

use safetensors::{Dtype, SafeTensorError};

use crate::checkpoint::text_limit;
use crate::error::escape::Escaping;

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
    /// Something else than a plain file: a directory, a pipe, a device.
    NotAFile(PathBuf),
    /// A file is larger than such a file ever is.
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The most that is read.
        limit: u64,
    },
    /// A link leads to a file that is not there.
    BrokenLink {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A file is a pointer of Git LFS.
    LfsPointer(PathBuf),
    /// A file is a web page.
    WebPage(PathBuf),
    /// A download that has not ended.
    Unfinished(PathBuf),
    /// The directory has no `config.json`.
    NoConfig {
        /// The directory.
        dir: PathBuf,
        /// A directory in it that has one.
        inside: Option<PathBuf>,
    },
    /// The directory is a part of Hugging Face's cache; the models are its snapshots.
    CacheRoot {
        /// The directory.
        dir: PathBuf,
        /// Its snapshots, the current one first.
        snapshots: Vec<PathBuf>,
    },
    /// The directory holds GGUF files and no other model.
    HoldsGguf {
        /// The directory.
        dir: PathBuf,
        /// The first of them.
        file: PathBuf,
        /// How many there are.
        count: usize,
    },
    /// The directory is an adapter (LoRA), not a model.
    Adapter {
        /// The directory.
        dir: PathBuf,
        /// The model it was made for.
        base: Option<String>,
    },
    /// The weights are quantized in a format that is not read.
    Quantized(String),
    /// `config.json` lacks a key that has no default.
    MissingKey(&'static str),
    /// `config.json` needs something this library does not run.
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
    /// The weights are pickled, as `torch.save` does it.
    Pickled(PathBuf),
    /// There are safetensors files, but under other names.
    OtherWeights(PathBuf),
    /// A shard is not there.
    MissingShard {
        /// Its name.
        shard: String,
        /// The directory.
        dir: PathBuf,
    },
    /// The index names a shard that is not a plain file name.
    ShardPath(String),
    /// A safetensors file is malformed or truncated.
    Safetensors {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: SafeTensorError,
    },
    /// A safetensors file is longer or shorter than its header says.
    WrongLength {
        /// The file.
        path: PathBuf,
        /// Bytes by the header.
        described: u64,
        /// Bytes of the file.
        found: u64,
    },
    /// A safetensors file names a tensor twice.
    NamedTwice {
        /// The tensor.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// A tensor's type is one that this version does not know.
    UnknownType {
        /// The tensor.
        name: String,
        /// The name of its type.
        dtype: String,
        /// The file.
        path: PathBuf,
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
    /// No tensor has a name of the known layouts; the first of them.
    ForeignNames(String),
    /// A tensor has another shape than the configuration gives it.
    Shape {
        /// The tensor.
        name: String,
        /// By the configuration.
        expected: Vec<usize>,
        /// In the file.
        found: Vec<usize>,
    },
    /// The scales of a tensor in FP8 are missing or do not fit it.
    Scale {
        /// The tensor.
        name: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// A tensor's type is not F32, F16 or BF16 (nor F8_E4M3 with scales).
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
        let f = &mut Escaping(f);
        match self {
            HfError::Io { path, source } => write!(f, "cannot read {}: {source}", path.display()),
            HfError::Json { path, source } => {
                write!(f, "{} is not valid: {source}", path.display())
            }
            HfError::NotAFile(path) => write!(
                f,
                "{} is not a plain file but a directory, a pipe or a device",
                path.display()
            ),
            HfError::TooLarge { path, bytes, limit } => write!(
                f,
                "{} has {bytes} bytes, and at most {limit} of such a file are read; {} raises that",
                path.display(),
                text_limit::VARIABLE
            ),
            HfError::BrokenLink { path, target } => write!(
                f,
                "{} is a link to {}, which is not there: download the model again",
                path.display(),
                target.display()
            ),
            HfError::LfsPointer(path) => write!(
                f,
                "{} is a Git LFS pointer, not the file itself: run `git lfs pull` in its \
                 repository, or download the model with `hf download`",
                path.display()
            ),
            HfError::WebPage(path) => write!(
                f,
                "{} is a web page, not the file itself: log in or accept the model's terms on \
                 its page if it asks for that, and download it again",
                path.display()
            ),
            HfError::Unfinished(path) => write!(
                f,
                "{} is a download that has not ended: start it again and let it finish",
                path.display()
            ),
            HfError::NoConfig { dir, inside } => {
                write!(f, "{} is a directory without config.json; give ", dir.display())?;
                match inside {
                    Some(inside) => write!(f, "one that has it, as {}", inside.display()),
                    None => f.write_str("a GGUF file or a Hugging Face model directory"),
                }
            }
            HfError::CacheRoot { dir, snapshots } => cache_root(f, dir, snapshots),
            HfError::HoldsGguf { dir, file, count } => {
                let (dir, file) = (dir.display(), file.display());
                match count {
                    1 => write!(f, "{dir} is a directory with a GGUF file; give {file}"),
                    n => write!(f, "{dir} is a directory with {n} GGUF files; give one, as {file}"),
                }
            }
            HfError::Adapter { dir, base } => {
                write!(f, "{} is an adapter (LoRA)", dir.display())?;
                if let Some(base) = base {
                    write!(f, " of {base}")?;
                }
                f.write_str(
                    ", not a model: merge it into its model with peft's `merge_and_unload`, \
                     save that with `save_pretrained` and give its directory",
                )
            }
            HfError::Quantized(format) => write!(
                f,
                "the weights are quantized as {format}, which is not read: take the model in \
                 BF16 or FP8, or a GGUF file of it (`xielu quantize` makes one from BF16)"
            ),
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
            HfError::Pickled(path) => write!(
                f,
                "{} is pickled, which is not read: load the model with transformers and save it \
                 with `save_pretrained`, which writes model.safetensors",
                path.display()
            ),
            HfError::OtherWeights(path) => write!(
                f,
                "{} is not one of model.safetensors, model-00001-of-0000N.safetensors and those \
                 that model.safetensors.index.json names: take the model in Hugging Face's layout",
                path.display()
            ),
            HfError::MissingShard { shard, dir } => write!(
                f,
                "{shard}, a part of the model, is not in {}: download it too",
                dir.display()
            ),
            HfError::ShardPath(shard) => {
                write!(f, "model.safetensors.index.json names {shard:?}, not a plain file name")
            }
            HfError::Safetensors { path, source } => {
                write!(f, "{} is malformed or truncated: {source}", path.display())
            }
            HfError::WrongLength { path, described, found } => {
                let path = path.display();
                if found < described {
                    write!(f, "{path} has {found} bytes of {described}: download it again")
                } else {
                    write!(f, "{path} has {found} bytes, but its header describes {described}")
                }
            }
            HfError::NamedTwice { name, path } => {
                write!(f, "{} names tensor {name} twice", path.display())
            }
            HfError::UnknownType { name, dtype, path } => write!(
                f,
                "{}: tensor {name} is of type {dtype:?}, which this version does not know; \
                 take the model in BF16, F16, F32 or FP8",
                path.display()
            ),
            HfError::DuplicateTensor { name, shards: [a, b] } => {
                write!(f, "tensor {name} is in {} and in {}", a.display(), b.display())
            }
            HfError::NotInShard { name, shard } => {
                write!(f, "the index promises tensor {name} in {shard}, which does not hold it")
            }
            HfError::MissingTensor(name) => write!(f, "the checkpoint has no tensor {name}"),
            HfError::ForeignNames(name) => write!(
                f,
                "the tensors, such as {name}, are not named as Hugging Face's Apertus, Llama or \
                 Qwen3: convert the checkpoint with the script that belongs to it"
            ),
            HfError::Shape { name, expected, found } => {
                let scalar = name.contains(".act_fn.");
                let asks = if scalar { "the activation takes" } else { "config.json asks for" };
                write!(f, "tensor {name} has shape {found:?}, {asks} {expected:?}")
            }
            HfError::Scale { name, problem } => write!(f, "tensor {name} in FP8: {problem}"),
            HfError::DType { name, dtype } => write!(
                f,
                "tensor {name} has type {dtype}, supported: F32, F16, BF16, \
                 and F8_E4M3 for matrices with scales"
            ),
            HfError::NotFinite(name) => write!(f, "{name} is NaN or infinite"),
            HfError::UnusedTensor(name) => {
                write!(f, "tensor {name} belongs to no part of this model that is supported")
            }
            HfError::Tokenizer { path, reason } => write!(f, "{}: {reason}", path.display()),
        }
    }
}

fn cache_root(f: &mut impl fmt::Write, dir: &Path, snapshots: &[PathBuf]) -> fmt::Result {
    write!(f, "{} is a part of Hugging Face's cache", dir.display())?;
    match snapshots {
        [] => f.write_str(" without a snapshot: download the model again"),
        [one] => write!(f, "; give its snapshot {}", one.display()),
        [first, ..] => {
            write!(f, " with {} snapshots; give one, as {}", snapshots.len(), first.display())
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
