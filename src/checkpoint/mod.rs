//! Bytes to named tensors. Knows names and layouts, never maths.

#[cfg(feature = "std")]
mod atomic;
pub mod gguf;
#[cfg(feature = "safetensors")]
pub mod hf;
mod layout;
mod names;

#[cfg(feature = "std")]
pub use atomic::AtomicFile;
pub use names::{LayerRole, Role};

use crate::kernels::{DType, Matrix};
use crate::{Config, Error, RawXielu};

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

/// A trained model, wherever it lies: what the decoder, the quantizer and the command line read.
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

    /// The stored (before softplus) activation scalars of `layer`.
    ///
    /// # Errors
    /// If an alpha is missing or mis-shaped: alphas never default. `beta` (0.5) and `eps`
    /// (-1e-6) may.
    fn raw_xielu(&self, layer: usize) -> Result<RawXielu, Error>;
}

/// The tensor that plays `role` as a matrix of the shape the configuration asks for.
///
/// # Errors
/// If it is missing or has another shape, or as [`Checkpoint::tensor`].
pub(crate) fn matrix<'w, C: Checkpoint<'w> + ?Sized>(
    checkpoint: &C,
    role: Role,
    rows: usize,
    cols: usize,
) -> Result<Matrix<'w>, Error> {
    optional_matrix(checkpoint, role, rows, cols)?.ok_or(Error::MissingTensor(role))
}

/// As [`matrix`], for a tensor that may be absent.
pub(crate) fn optional_matrix<'w, C: Checkpoint<'w> + ?Sized>(
    checkpoint: &C,
    role: Role,
    rows: usize,
    cols: usize,
) -> Result<Option<Matrix<'w>>, Error> {
    let Some(t) = checkpoint.tensor(role)? else { return Ok(None) };
    if [t.rows, t.cols] != [rows, cols] {
        return Err(Error::TensorShape { role, expected: [rows, cols], found: [t.rows, t.cols] });
    }
    Ok(Some(Matrix::new(t.dtype, rows, cols, t.data)?))
}
