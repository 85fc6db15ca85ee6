//! What can go wrong, each with what and where.

#[cfg(feature = "cuda")]
mod device;
pub(crate) mod escape;
mod gguf;
mod name;
mod non_finite;
#[cfg(feature = "streamed")]
mod source;
mod split;

#[cfg(feature = "cuda")]
pub use device::DeviceError;
pub use escape::{Escaped, escaped, escaped_lines};
pub use gguf::{GgufError, GgufErrorKind};
pub(crate) use gguf::{MAX_PAIRS, MAX_TENSORS};
pub use name::{ElementType, Key, ShortName};
pub use non_finite::NonFinite;
#[cfg(feature = "streamed")]
pub use source::SourceError;
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
    /// A CUDA device cannot be used, or failed.
    #[cfg(feature = "cuda")]
    Device(DeviceError),
    /// Weights could not be read from where they are.
    #[cfg(feature = "streamed")]
    Source(SourceError),
    /// The vocabulary has no token for this byte of a text.
    NoTokenForByte(u8),
    /// Every token is forbidden: all logits are minus infinity.
    NothingToDraw,
    /// An index reached beyond its range: a mistake inside this library.
    OutOfRange(&'static str),
}

#[cfg(feature = "cuda")]
impl From<crate::cuda::Error> for Error {
    fn from(e: crate::cuda::Error) -> Self {
        Error::Device(DeviceError(e))
    }
}

crate::kernels::messages!(Error {
    #[cfg(feature = "cuda")]
    Error::Device(e) => ("{}", e),
    #[cfg(feature = "streamed")]
    Error::Source(e) => ("{}", e),
    Error::Config(what) => ("unusable model shape: {}", what),
    Error::Gguf(e) => ("{}", e),
    Error::NotBuilt(act) => ("the activation {} is not in this build", act),
    Error::NoGradient(act) => ("{}", BackwardError::NoGradient(*act)),
    Error::UnsupportedArchitecture(name) => ("architecture \"{}\" is not supported", name),
    Error::MissingKey(key) => ("the checkpoint has no key `{}`", key),
    Error::BadKey { key, problem } => ("key `{}` {}", key, problem),
    Error::KeyType { key, found, elements: None, wanted } => (
        "key `{}` is of type {}, not {}", key, found.name(), wanted,
    ),
    Error::KeyType { key, found, elements: Some(elements), wanted } => (
        "key `{}` is of type {} of {}, not {}", key, found.name(), elements.name(), wanted,
    ),
    Error::Split(e) => ("{}", e),
    Error::UnknownTensor(name) => (
        "tensor {} belongs to no part of this model that is supported", name,
    ),
    Error::MissingTensor(role) => ("the checkpoint has no tensor {}", role),
    Error::UnsupportedType { role, found } => (
        "tensor {} is of type {}, which is not supported", role, found,
    ),
    Error::TensorRank { role, dims } => ("tensor {} has {} dimensions, not 1 or 2", role, dims),
    Error::TensorShape { role, expected: [er, ec], found: [fr, fc] } => (
        "tensor {} is {} x {}, but the configuration asks for {} x {}", role, fr, fc, er, ec,
    ),
    Error::Parameter { name, problem } => ("activation scalar {} {}", name, problem),
    Error::NoSuchLayer(layer) => ("the model has no layer {}", layer),
    Error::Length(e) => ("{}", e),
    Error::Shape { what, expected: [r, c], found: [fr, fc] } => (
        "{} is [{}, {}], expected [{}, {}]", what, fr, fc, r, c,
    ),
    Error::Product(e) => ("{}", e),
    Error::Tile { tile, multiple } => (
        "an MLP tile of {} is not a positive multiple of {}, as the blocks of these weights need",
        tile,
        multiple,
    ),
    Error::Memory { what, needed, found } => (
        "{} needs {} elements, {} were given", what, needed, found,
    ),
    Error::ContextFull { needed, context } => (
        "context full: {} positions needed, the KV cache holds {}", needed, context,
    ),
    Error::Token { id, vocab_size } => (
        "token id {} is beyond the vocabulary of {}", id, vocab_size,
    ),
    Error::NonFinite(place) => ("{}", place),
    Error::NoTokenForByte(byte) => (
        "the vocabulary has no token for the byte {:#04x}", byte,
    ),
    Error::NothingToDraw => ("every token is forbidden: none can be drawn"),
    Error::OutOfRange(what) => ("internal error: {} out of range", what),
});

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

#[cfg(feature = "streamed")]
impl From<SourceError> for Error {
    fn from(e: SourceError) -> Self {
        Error::Source(e)
    }
}
