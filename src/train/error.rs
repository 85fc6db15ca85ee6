//! What can go wrong in training.

use std::fmt::{self, Write as _};
use std::io;
use std::path::PathBuf;
use std::string::String;

use crate::error::escape::Escaping;

/// Why training cannot start or go on. Every message names the key, file, tensor or step.
#[derive(Debug)]
#[non_exhaustive]
pub enum TrainError {
    /// The text of a configuration is not TOML, or has a wrong, missing or unknown key.
    Toml(toml::de::Error),
    /// A key of the configuration has a value that cannot be used.
    Config {
        /// The key, with its table.
        key: &'static str,
        /// What is wrong with its value.
        problem: String,
    },
    /// The model's shape is unusable.
    Model(crate::Error),
    /// A file could not be read or written.
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The data cannot be trained on.
    Data(String),
    /// A checkpoint is damaged, or belongs to another model.
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Another process works in the directory of the run.
    InUse {
        /// The directory.
        dir: PathBuf,
        /// The process, if it is known.
        process: Option<u32>,
    },
    /// Loss or gradients are NaN or infinite; the weights are those before this step.
    NotFinite {
        /// The step, from 0.
        step: u64,
        /// The mean loss of the step.
        loss: f64,
        /// The norm of its gradients.
        grad_norm: f64,
    },
    /// It was broken off by its caller.
    Cancelled,
    /// The tensor library reports a failure.
    Tensor(candle_core::Error),
}

impl fmt::Display for TrainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut Escaping(f);
        match self {
            TrainError::Toml(e) => write!(f, "{e}"),
            TrainError::Config { key, problem } => write!(f, "key `{key}` {problem}"),
            TrainError::Model(e) => write!(f, "{e}"),
            TrainError::Io { path, source } => write!(f, "{}: {source}", path.display()),
            TrainError::Data(problem) => f.write_str(problem),
            TrainError::Checkpoint { path, problem } => {
                write!(f, "checkpoint {}: {problem}", path.display())
            }
            TrainError::InUse { dir, process } => {
                write!(f, "{} is in use by ", dir.display())?;
                match process {
                    Some(id) => write!(f, "process {id}")?,
                    None => write!(f, "another process")?,
                }
                write!(f, "; wait until it has ended, or stop it")
            }
            TrainError::NotFinite { step, loss, grad_norm } => {
                write!(f, "step {step}: the loss is {loss}, the gradient norm {grad_norm}")
            }
            TrainError::Cancelled => f.write_str("interrupted"),
            TrainError::Tensor(e) => write!(f, "{e}"),
        }
    }
}

impl std::error::Error for TrainError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            TrainError::Toml(source) => Some(source),
            TrainError::Model(source) => Some(source),
            TrainError::Io { source, .. } => Some(source),
            TrainError::Tensor(source) => Some(source),
            _ => None,
        }
    }
}

impl From<candle_core::Error> for TrainError {
    fn from(e: candle_core::Error) -> Self {
        TrainError::Tensor(e)
    }
}

impl From<toml::de::Error> for TrainError {
    fn from(e: toml::de::Error) -> Self {
        TrainError::Toml(e)
    }
}

impl From<crate::Error> for TrainError {
    fn from(e: crate::Error) -> Self {
        TrainError::Model(e)
    }
}
