//! What can go wrong in a conversion.

use std::fmt::{self, Write as _};
use std::io;
use std::path::{Path, PathBuf};
use std::string::String;

use crate::error::escape::Escaping;
use crate::quant::EncodeError;

/// Why a conversion stopped. Nothing is left at the output path, and what was there before
/// still is.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConvertError {
    /// The source cannot be read as a model.
    Source(crate::Error),
    /// A directory's tokenizer cannot be read or carried over.
    #[cfg(feature = "safetensors")]
    Vocabulary(crate::checkpoint::hf::HfError),
    /// The source holds a tensor that belongs to no part of the model.
    UnknownTensor(String),
    /// A value of a tensor is NaN or infinite.
    NotFinite {
        /// The tensor.
        tensor: String,
        /// The row.
        row: usize,
        /// The column.
        col: usize,
    },
    /// A row of a tensor cannot be encoded.
    Encode {
        /// The tensor.
        tensor: String,
        /// The reason.
        source: EncodeError,
    },
    /// The output cannot be written: disk full, no permission.
    Io {
        /// The output.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A file is there already, and may not be replaced.
    Exists(PathBuf),
    /// The model would make more parts than a file can say.
    TooManyParts(usize),
    /// The progress callback asked to stop.
    Cancelled,
}

impl fmt::Display for ConvertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut Escaping(f);
        match self {
            ConvertError::Source(e) => write!(f, "{e}"),
            #[cfg(feature = "safetensors")]
            ConvertError::Vocabulary(e) => write!(f, "{e}"),
            ConvertError::UnknownTensor(name) => {
                write!(f, "tensor {name} belongs to no part of a model that is supported")
            }
            ConvertError::NotFinite { tensor, row, col } => {
                write!(f, "tensor {tensor} is damaged: row {row}, column {col} is NaN or infinite")
            }
            ConvertError::Encode { tensor, source } => write!(f, "tensor {tensor}: {source}"),
            ConvertError::Io { path, source } => {
                write!(f, "cannot write {}: {source}", path.display())
            }
            ConvertError::Exists(path) => write!(f, "{} exists", path.display()),
            ConvertError::TooManyParts(parts) => {
                write!(f, "parts of this size would be {parts}, more than 65535; make them larger")
            }
            ConvertError::Cancelled => f.write_str("cancelled; nothing was written"),
        }
    }
}

impl std::error::Error for ConvertError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ConvertError::Source(source) => Some(source),
            #[cfg(feature = "safetensors")]
            ConvertError::Vocabulary(source) => Some(source),
            ConvertError::Encode { source, .. } => Some(source),
            ConvertError::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl From<crate::Error> for ConvertError {
    fn from(e: crate::Error) -> Self {
        ConvertError::Source(e)
    }
}

pub(super) fn io_error(path: &Path, source: std::io::Error) -> ConvertError {
    ConvertError::Io { path: path.into(), source }
}
