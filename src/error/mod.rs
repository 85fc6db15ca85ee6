//! What can go wrong, each with what and where.

pub(crate) mod escape;
mod gguf;
mod name;
mod non_finite;
mod split;

use core::fmt;

pub use escape::{Escaped, escaped, escaped_lines};
pub use gguf::{GgufError, GgufErrorKind};
pub(crate) use gguf::{MAX_PAIRS, MAX_TENSORS};
pub use name::{ElementType, Key, ShortName};
pub use non_finite::NonFinite;
pub use split::SplitError;

use crate::kernels::{ActivationKind, BackwardError, LengthError, ShapeError};
use crate::names::{Role, ValueType};

/// An error of the core. Small and `Copy`: no allocation, no text beyond what is static.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The model's shape breaks this rule.
    Config(&'static str),
    /// The file is not a well-formed GGUF.
    Gguf(GgufError),
    /// The model has an activation that this build leaves out (see [`crate::kernels::built`]) or
    /// that no MLP is loaded with.
    NotBuilt(ActivationKind),
    /// The activation has no gradient kernel.
    NoGradient(ActivationKind),
    /// The checkpoint is of an architecture this library does not run.
    UnsupportedArchitecture(ShortName),
    /// The checkpoint's metadata lacks this key.
    MissingKey(Key),
    /// A metadata key has a value this library cannot use.
    BadKey {
        /// The key.
        key: Key,
        /// What is wrong with its value.
        problem: &'static str,
    },
    /// A metadata key has a value of a type that it cannot have.
    KeyType {
        /// The key.
        key: Key,
        /// The type of its value.
        found: ValueType,
        /// The type of the elements, where that is an array.
        elements: Option<ValueType>,
        /// What it must be.
        wanted: &'static str,
    },
    /// Files are not the parts of one model.
    Split(SplitError),
    /// A tensor belongs to no part of the model, whose results would lack it.
    UnknownTensor(ShortName),
    /// The checkpoint has no such tensor.
    MissingTensor(Role),
    /// The tensor's elements are of a type this library does not compute with.
    UnsupportedType {
        /// Which tensor.
        role: Role,
        /// Its element type.
        found: ElementType,
    },
    /// The tensor has more dimensions than a matrix, or none.
    TensorRank {
        /// Which tensor.
        role: Role,
        /// How many dimensions it has.
        dims: usize,
    },
    /// The tensor's shape does not agree with the configuration.
    TensorShape {
        /// Which tensor.
        role: Role,
        /// Rows and columns by the configuration.
        expected: [usize; 2],
        /// Rows and columns of the tensor.
        found: [usize; 2],
    },
    /// A scalar of an activation has an unusable value.
    Parameter {
        /// Its name in the checkpoint.
        name: &'static str,
        /// What is wrong with its value.
        problem: &'static str,
    },
    /// The model has fewer layers than this index needs.
    NoSuchLayer(usize),
    /// A slice given by the caller has the wrong length.
    Length(LengthError),
    /// Matrices given by the caller do not fit together, rows by columns.
    Shape {
        /// Which one is wrong.
        what: &'static str,
        /// What fits.
        expected: [usize; 2],
        /// What was given.
        found: [usize; 2],
    },
    /// The operands of a product do not fit together.
    Product(ShapeError),
    /// An MLP tile is 0 or cuts a block of the weights.
    Tile {
        /// The tile.
        tile: usize,
        /// What it must be a multiple of; the MLP's whole width does too.
        multiple: usize,
    },
    /// The caller's memory is too small; both counts are in elements.
    Memory {
        /// Which memory.
        what: &'static str,
        /// What the matching size function returns.
        needed: usize,
        /// What was given.
        found: usize,
    },
    /// More tokens than the KV cache has room for.
    ContextFull {
        /// Positions the tokens would reach.
        needed: usize,
        /// Positions there are.
        context: usize,
    },
    /// A token id beyond the vocabulary.
    Token {
        /// The id.
        id: u32,
        /// Size of the vocabulary.
        vocab_size: usize,
    },
    /// A result is no number: the weights are damaged, or values outgrew their type.
    NonFinite(NonFinite),
    /// The vocabulary has no token for this byte of a text.
    NoTokenForByte(u8),
    /// An index reached beyond its range: a mistake inside this library.
    OutOfRange(&'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Config(what) => write!(f, "unusable model shape: {what}"),
            Error::Gguf(e) => e.fmt(f),
            Error::NotBuilt(act) => write!(f, "the activation {act:?} is not in this build"),
            Error::NoGradient(act) => BackwardError::NoGradient(*act).fmt(f),
            Error::UnsupportedArchitecture(name) => {
                write!(f, "architecture {name:?} is not supported")
            }
            Error::MissingKey(key) => write!(f, "the checkpoint has no key `{key}`"),
            Error::BadKey { key, problem } => write!(f, "key `{key}` {problem}"),
            Error::KeyType { key, found, elements, wanted } => {
                write!(f, "key `{key}` is of type {}", found.name())?;
                if let Some(elements) = elements {
                    write!(f, " of {}", elements.name())?;
                }
                write!(f, ", not {wanted}")
            }
            Error::Split(e) => e.fmt(f),
            Error::UnknownTensor(name) => {
                let name = name.as_str();
                write!(f, "tensor {name} belongs to no part of this model that is supported")
            }
            Error::MissingTensor(role) => write!(f, "the checkpoint has no tensor {role}"),
            Error::UnsupportedType { role, found } => {
                write!(f, "tensor {role} is of type {found}, which is not supported")
            }
            Error::TensorRank { role, dims } => {
                write!(f, "tensor {role} has {dims} dimensions, not 1 or 2")
            }
            Error::TensorShape { role, expected, found } => {
                let ([er, ec], [fr, fc]) = (expected, found);
                write!(
                    f,
                    "tensor {role} is {fr} x {fc}, but the configuration asks for {er} x {ec}"
                )
            }
            Error::Parameter { name, problem } => write!(f, "activation scalar {name} {problem}"),
            Error::NoSuchLayer(layer) => write!(f, "the model has no layer {layer}"),
            Error::Length(e) => e.fmt(f),
            Error::Shape { what, expected: [r, c], found: [fr, fc] } => {
                write!(f, "{what} is [{fr}, {fc}], expected [{r}, {c}]")
            }
            Error::Product(e) => e.fmt(f),
            Error::Tile { tile, multiple } => {
                write!(
                    f,
                    "an MLP tile of {tile} is not a positive multiple of {multiple}, as the blocks \
                     of these weights need"
                )
            }
            Error::Memory { what, needed, found } => {
                write!(f, "{what} needs {needed} elements, {found} were given")
            }
            Error::ContextFull { needed, context } => {
                write!(f, "context full: {needed} positions needed, the KV cache holds {context}")
            }
            Error::Token { id, vocab_size } => {
                write!(f, "token id {id} is beyond the vocabulary of {vocab_size}")
            }
            Error::NonFinite(place) => place.fmt(f),
            Error::NoTokenForByte(byte) => {
                write!(f, "the vocabulary has no token for the byte {byte:#04x}")
            }
            Error::OutOfRange(what) => write!(f, "internal error: {what} out of range"),
        }
    }
}

impl From<ShapeError> for Error {
    fn from(e: ShapeError) -> Self {
        Error::Product(e)
    }
}

impl core::error::Error for Error {}

impl From<BackwardError> for Error {
    fn from(e: BackwardError) -> Self {
        match e {
            BackwardError::Length(e) => Error::Length(e),
            BackwardError::NoGradient(act) => Error::NoGradient(act),
        }
    }
}

impl From<LengthError> for Error {
    fn from(e: LengthError) -> Self {
        Error::Length(e)
    }
}

impl From<GgufError> for Error {
    fn from(e: GgufError) -> Self {
        Error::Gguf(e)
    }
}

impl From<SplitError> for Error {
    fn from(e: SplitError) -> Self {
        Error::Split(e)
    }
}
