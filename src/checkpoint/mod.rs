//! Bytes to named tensors. Knows names and layouts, never maths.
//!
//! A model file is opened by [`open()`] (GGUF, the parts of a split one, a Hugging Face directory);
//! bytes that are in memory already, by [`Gguf::parse`](gguf::Gguf::parse).

#[cfg(feature = "std")]
mod atomic;
#[cfg(any(feature = "std", feature = "session"))]
mod bytes;
pub mod gguf;
#[cfg(feature = "safetensors")]
pub mod hf;
mod layout;
#[cfg(feature = "std")]
pub(crate) mod lock;
#[cfg(any(feature = "std", feature = "session"))]
mod open;
#[cfg(any(feature = "std", feature = "session"))]
mod open_error;
mod sampling;
pub(crate) mod stop_tokens;
#[cfg(any(feature = "safetensors", feature = "tokenizer"))]
pub(crate) mod text_limit;
#[cfg(any(feature = "safetensors", feature = "tokenizer"))]
pub(crate) mod tokenizer_json;

#[cfg(feature = "std")]
pub use atomic::AtomicFile;
#[cfg(any(feature = "std", feature = "session"))]
pub use bytes::{Access, FileBytes};
#[cfg(any(feature = "std", feature = "session"))]
pub use open::{GgufFile, GgufView, ModelFile, ModelView, from_bytes, open, open_with};
#[cfg(any(feature = "std", feature = "session"))]
pub use open_error::OpenError;
#[cfg(feature = "safetensors")]
pub(crate) use sampling::KEYS as SAMPLING_KEYS;
pub use sampling::Sampling;

pub use crate::names::{LayerRole, Role};

use crate::config::raw_xielu::RawXielu;
use crate::kernels::{DType, Matrix, Shape};
use crate::{Config, Error};

/// One tensor, borrowed from its file.
#[derive(Clone, Copy, Debug)]
pub struct Tensor<'w> {
    /// Element type.
    pub dtype: DType,
    /// Rows: 1 for a vector.
    pub rows: usize,
    /// Elements of a row, contiguous.
    pub cols: usize,
    /// `rows * dtype.row_bytes(cols)` bytes, at any alignment.
    pub data: &'w [u8],
}

/// What [`Checkpoint::visit`] hands tensors to.
pub type Visitor<'a, 'w> = &'a mut dyn FnMut(Role, Tensor<'w>) -> Result<(), Error>;

/// A trained model, from whatever kind of file: what the decoder, the quantizer and the command line read.
pub trait Checkpoint<'w> {
    /// The model's shape, validated.
    ///
    /// # Errors
    /// If a key is missing or has a value this library cannot run.
    fn config(&self) -> Result<Config, Error>;

    /// The tensor that plays `role`; `None` if the checkpoint has none.
    ///
    /// # Errors
    /// If the tensor exists but its type is not supported or it is not 1- or 2-dimensional.
    fn tensor(&self, role: Role) -> Result<Option<Tensor<'w>>, Error>;

    /// Hands every tensor that plays a role to `visitor`, each once, in any order; stops at its
    /// first error. A whole model is loaded this way, and not one role after the other: a file is
    /// then walked through once.
    ///
    /// # Errors
    /// As [`Checkpoint::tensor`], and the visitor's.
    fn visit(&self, visitor: Visitor<'_, 'w>) -> Result<(), Error> {
        let config = self.config()?;
        for role in [Role::RopeFreqs].into_iter().chain(Role::all(&config)) {
            if let Some(tensor) = self.tensor(role)? {
                visitor(role, tensor)?;
            }
        }
        Ok(())
    }

    /// The stored (before softplus) activation scalars of `layer`.
    ///
    /// # Errors
    /// If an alpha is missing or mis-shaped: alphas never default. `beta` (0.5) and `eps`
    /// (-1e-6) may.
    fn raw_xielu(&self, layer: usize) -> Result<RawXielu, Error>;
}

/// The tensor that plays `role` as a matrix of the shape that the configuration states.
///
/// # Errors
/// If it is missing or has another shape, or as [`Checkpoint::tensor`].
pub(crate) fn matrix<'w, C: Checkpoint<'w> + ?Sized>(
    checkpoint: &C,
    role: Role,
    rows: usize,
    cols: usize,
) -> Result<Matrix<'w>, Error> {
    let tensor = checkpoint.tensor(role)?.ok_or(Error::MissingTensor(role))?;
    tensor.shaped(role, rows, cols)
}

impl<'w> Tensor<'w> {
    /// The tensor as a matrix of the shape that the configuration states.
    pub(crate) fn shaped(&self, role: Role, rows: usize, cols: usize) -> Result<Matrix<'w>, Error> {
        let (expected, found) = ([rows, cols], [self.rows, self.cols]);
        if found != expected {
            return Err(Error::TensorShape { role, expected, found });
        }
        Ok(Matrix::new(self.dtype, Shape { rows, cols }, self.data)?)
    }
}
