//! Where a matrix lies in a source, and what type and shape it has.

use super::source::Span;
use crate::Error;
use crate::checkpoint::Role;
use crate::checkpoint::gguf::{GgufHead, TensorInfo};
use crate::kernels::{DType, Matrix, Shape};
use crate::{Config, ElementType};

/// A matrix in a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct View {
    offset: u64,
    pub dtype: DType,
    pub rows: usize,
    pub cols: usize,
    row_bytes: usize,
    /// Whether products take their other operand as input blocks.
    pub takes_blocks: bool,
}

impl View {
    pub(super) const EMPTY: View =
        View { offset: 0, dtype: DType::F32, rows: 0, cols: 0, row_bytes: 0, takes_blocks: false };

    /// The tensor that plays `role`, if it has the shape that the configuration states and this
    /// build computes with its type.
    pub(super) fn of(
        head: &GgufHead<'_>,
        role: Role,
        info: &TensorInfo<'_>,
        config: &Config,
    ) -> Result<Self, Error> {
        let found = ElementType::Ggml(info.ggml_type);
        let unsupported = Error::UnsupportedType { role, found };
        let size = |at: usize| {
            let size = info.dims().get(at).copied().unwrap_or(1);
            usize::try_from(size).map_err(|_| unsupported)
        };
        let (rows, cols) = (size(1)?, size(0)?);
        if info.dims().get(2..).unwrap_or_default().iter().any(|dim| *dim != 1) {
            return Err(Error::TensorRank { role, dims: info.dims().len() });
        }
        let dtype = info.ggml_type.dtype().ok_or(unsupported)?;
        let shape: (usize, usize) = role.shape(config);
        if shape != (rows, cols) {
            let expected = [shape.0, shape.1];
            return Err(Error::TensorShape { role, expected, found: [rows, cols] });
        }
        // Whether there can be such a matrix.
        let takes_blocks = Matrix::new(dtype, Shape { rows: 0, cols }, &[])?.takes_blocks();
        let row_bytes = dtype.row_bytes(cols).ok_or(unsupported)?;
        Ok(View { offset: head.offset_of(info), dtype, rows, cols, row_bytes, takes_blocks })
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rows == 0
    }

    pub(super) const fn row_bytes(&self) -> usize {
        self.row_bytes
    }

    /// Bytes of all rows.
    pub(super) const fn bytes(&self) -> u64 {
        (self.row_bytes as u64).saturating_mul(self.rows as u64)
    }

    /// Some rows.
    pub(super) const fn span(&self, first: usize, rows: usize) -> Span {
        let before = (self.row_bytes as u64).saturating_mul(first as u64);
        Span {
            offset: self.offset.saturating_add(before),
            len: self.row_bytes.saturating_mul(rows),
        }
    }

    /// Rows that came, as a matrix.
    pub(super) fn matrix<'t>(&self, rows: usize, tile: &'t [u8]) -> Result<Matrix<'t>, Error> {
        Ok(Matrix::new(self.dtype, Shape { rows, cols: self.cols }, tile)?)
    }
}
