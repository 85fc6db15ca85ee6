//! Why a model cannot be opened.

use std::fmt::{self, Write as _};
use std::io;
use std::path::PathBuf;

use super::gguf::GgufError;
#[cfg(feature = "safetensors")]
use super::hf::HfError;
use crate::error::escape::Escaping;

/// Why a model cannot be opened: one sentence that names the file.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// A file cannot be opened or read.
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The file is the small text that Git LFS has in the place of a large one.
    LfsPointer(PathBuf),
    /// The file is the page that a website shows instead of the file.
    WebPage(PathBuf),
    /// The file is one of a Hugging Face directory's.
    OneFileOfDirectory(PathBuf),
    /// A directory, which this build does not read.
    #[cfg(not(feature = "safetensors"))]
    Directory(PathBuf),
    /// The file is not a well-formed GGUF.
    Gguf {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: GgufError,
    },
    /// A part of a split model is not called as parts are, so that the others cannot be found.
    PartName {
        /// The file.
        path: PathBuf,
        /// Which part it is, from 1.
        part: usize,
        /// Of how many.
        count: usize,
    },
    /// A part's name and its metadata disagree on how many parts there are.
    PartCount {
        /// The file.
        path: PathBuf,
        /// By its name.
        named: usize,
        /// By its metadata.
        count: usize,
    },
    /// A part of a split model is not there.
    MissingPart {
        /// Which, from 1.
        number: usize,
        /// Of how many.
        count: usize,
        /// Where it should be.
        path: PathBuf,
    },
    /// The file cannot be used as a model, or its parts are not of one.
    Model {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: crate::Error,
    },
    /// The directory cannot be used.
    #[cfg(feature = "safetensors")]
    Hf {
        /// The directory.
        path: PathBuf,
        /// The reason.
        source: HfError,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut Escaping(f);
        match self {
            OpenError::Io { path, source } => {
                write!(f, "cannot open the model {}: {source}", path.display())
            }
            OpenError::LfsPointer(path) => write!(
                f,
                "{} is a Git LFS pointer, not the file; run `git lfs pull`",
                path.display()
            ),
            OpenError::WebPage(path) => write!(
                f,
                "{} is a web page, not the file; download the file that the page is about",
                path.display()
            ),
            OpenError::OneFileOfDirectory(path) => write!(
                f,
                "{} is one file of a Hugging Face model; give its directory",
                path.display()
            ),
            #[cfg(not(feature = "safetensors"))]
            OpenError::Directory(path) => write!(
                f,
                "{} is a directory, which takes feature `safetensors`; give a GGUF file",
                path.display()
            ),
            OpenError::Gguf { path, source } => {
                write!(f, "cannot use {}: {source}", path.display())
            }
            OpenError::PartName { path, part, count } => write!(
                f,
                "{} is part {part} of {count} of a model, but its name does not end in \
                 -{part:05}-of-{count:05}.gguf, so the other parts cannot be found",
                path.display()
            ),
            OpenError::PartCount { path, named, count } => write!(
                f,
                "{} is one of {count} parts by its metadata and of {named} by its name",
                path.display()
            ),
            OpenError::MissingPart { number, count, path } => write!(
                f,
                "part {number} of {count} of the model is missing: there is no {}",
                path.display()
            ),
            OpenError::Model { path, source } => {
                write!(f, "cannot use {}: {source}", path.display())
            }
            #[cfg(feature = "safetensors")]
            OpenError::Hf { path, source } => write!(f, "cannot use {}: {source}", path.display()),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            OpenError::Io { source, .. } => Some(source),
            OpenError::Gguf { source, .. } => Some(source),
            OpenError::Model { source, .. } => Some(source),
            #[cfg(feature = "safetensors")]
            OpenError::Hf { source, .. } => Some(source),
            _ => None,
        }
    }
}
