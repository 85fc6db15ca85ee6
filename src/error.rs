//! What can go wrong, each with what and where.

use core::fmt;

use crate::checkpoint::Role;
use crate::kernels::LengthError;

/// An error of the core. Small and `Copy`: no allocation, no text beyond what is static.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The model's shape breaks this rule.
    Config(&'static str),
    /// The checkpoint has no such tensor.
    MissingTensor(Role),
    /// A slice given by the caller has the wrong length.
    Length(LengthError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Config(what) => write!(f, "unusable model shape: {what}"),
            Error::MissingTensor(role) => write!(f, "the checkpoint has no tensor for {role:?}"),
            Error::Length(e) => e.fmt(f),
        }
    }
}

impl core::error::Error for Error {}

impl From<LengthError> for Error {
    fn from(e: LengthError) -> Self {
        Error::Length(e)
    }
}
