//! Weight matrices as borrowed blocks, and the shapes of a product.

use core::ops::Range;

use crate::block::{Blocks, DType, INPUT_BLOCK, InputBlock};
use crate::generic::panel::ROWS;

/// Weights `[rows, cols]`, row by row, borrowed at any alignment. A range of columns is a
/// `Matrix` too: its rows keep their distance.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'w> {
    /// Starts at the first row's first block; see `row_stride`.
    pub(crate) blocks: Blocks<'w>,
    rows: usize,
    cols: usize,
    /// Blocks from one row to the next.
    pub(crate) row_stride: usize,
    /// Whether the blocks are tiles; see [`crate::Kernels::pack`].
    packed: bool,
}

/// Shapes, types or lengths that do not fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShapeError {
    /// The columns are not a whole number of blocks.
    PartialBlock {
        /// Columns given.
        cols: usize,
        /// Values a block holds.
        block_len: usize,
    },
    /// The data of a matrix has another length than its shape takes.
    Bytes {
        /// What the shape takes; `usize::MAX` if that does not fit `usize`.
        expected: usize,
        /// What was given.
        found: usize,
    },
    /// The input of a product is not `tokens * cols` values.
    Input {
        /// Values (or input blocks) the product takes.
        expected: usize,
        /// What was given.
        found: usize,
    },
    /// The output has another number of rows than the matrix.
    Rows {
        /// Rows of the matrix.
        expected: usize,
        /// Rows of the output.
        found: usize,
    },
    /// Quantized weights take quantized inputs, float weights take f32.
    InputType(DType),
    /// These weights cannot be packed, or these kernels cannot use packed ones.
    Packing(DType),
    /// Weights of a type that this build leaves out; see [`crate::built`].
    NotBuilt(DType),
}

crate::messages!(ShapeError {
    ShapeError::PartialBlock { cols, block_len } => (
        "{} columns are not a multiple of the block of {}", cols, block_len,
    ),
    ShapeError::Bytes { expected, found } => (
        "matrix data has {} bytes, its shape asks for {}", found, expected,
    ),
    ShapeError::Input { expected, found } => (
        "input has {} elements, the product asks for {}", found, expected,
    ),
    ShapeError::Rows { expected, found } => (
        "output has {} rows, the matrix {}", found, expected,
    ),
    ShapeError::Packing(dtype) => (
        "these {} weights cannot be packed, or not for these kernels", dtype,
    ),
    ShapeError::NotBuilt(dtype) => ("{} weights are not in this build", dtype),
    ShapeError::InputType(dtype) => (
        "{} weights take {} inputs",
        dtype,
        if dtype.is_quantized() { "quantized" } else { "f32" },
    ),
});

impl core::error::Error for ShapeError {}

/// The right-hand side of a product, `[tokens, cols]`.
#[derive(Clone, Copy, Debug)]
pub enum Input<'x> {
    /// For float weights.
    F32(&'x [f32]),
    /// For quantized weights: [`InputBlock::per_row`] blocks a token.
    Quantized(&'x [InputBlock]),
}

impl Input<'_> {
    /// Elements of one token, for a product with `w`.
    pub(crate) const fn stride(&self, w: &Matrix<'_>) -> usize {
        match self {
            Input::F32(_) => w.cols(),
            Input::Quantized(_) => InputBlock::per_row(w.cols()),
        }
    }

    /// Some of the elements.
    pub(crate) fn slice(&self, range: Range<usize>) -> Result<Self, ShapeError> {
        let (found, expected) = match self {
            Input::F32(x) => (x.get(range.clone()).map(Input::F32), x.len()),
            Input::Quantized(x) => (x.get(range.clone()).map(Input::Quantized), x.len()),
        };
        found.ok_or(ShapeError::Input { expected: range.end, found: expected })
    }
}

/// Rows and columns, by name: two numbers that are easily swapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Shape {
    /// Number of rows: the product's outputs.
    pub rows: usize,
    /// Number of columns: values of an input.
    pub cols: usize,
}

impl<'w> Matrix<'w> {
    /// Nothing: 0 rows of 0 columns.
    pub const EMPTY: Matrix<'static> =
        Matrix { blocks: Blocks::F32(&[]), rows: 0, cols: 0, row_stride: 0, packed: false };

    /// Views `data` as a matrix of this shape, row by row, of `dtype`.
    ///
    /// # Errors
    /// If `cols` is not a whole number of blocks, `data` has another length, or the type is not
    /// compiled.
    pub fn new(dtype: DType, shape: Shape, data: &'w [u8]) -> Result<Self, ShapeError> {
        let Shape { rows, cols } = shape;
        if !dtype.is_readable() {
            return Err(ShapeError::NotBuilt(dtype));
        }
        let block_len = dtype.block_len();
        if !cols.is_multiple_of(block_len) {
            return Err(ShapeError::PartialBlock { cols, block_len });
        }
        let expected = dtype.row_bytes(cols).and_then(|b| b.checked_mul(rows));
        let mismatch =
            ShapeError::Bytes { expected: expected.unwrap_or(usize::MAX), found: data.len() };
        if expected != Some(data.len()) {
            return Err(mismatch);
        }
        let blocks = Blocks::new(dtype, data).ok_or(mismatch)?;
        Ok(Matrix { blocks, rows, cols, row_stride: cols / block_len, packed: false })
    }

    /// As [`Matrix::new`], `data` being tiles.
    pub(crate) fn packed(dtype: DType, shape: Shape, data: &'w [u8]) -> Option<Self> {
        Some(Matrix { packed: true, ..Matrix::new(dtype, shape, data).ok()? })
    }

    /// Whether it was made by [`crate::Kernels::pack`]: rows and columns are then taken by tiles
    /// of 32 and 256.
    pub const fn is_packed(&self) -> bool {
        self.packed
    }

    /// Bytes of the weights, packed or not.
    pub const fn bytes(&self) -> usize {
        // No overflow: the data is in memory.
        self.rows.saturating_mul(self.row_blocks()).saturating_mul(self.dtype().block_bytes())
    }

    /// The element type.
    pub const fn dtype(&self) -> DType {
        self.blocks.dtype()
    }

    /// Whether products take their other operand as [`InputBlock`]s (else as f32).
    pub const fn takes_blocks(&self) -> bool {
        self.dtype().takes_blocks()
    }

    /// Number of rows.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub const fn cols(&self) -> usize {
        self.cols
    }

    /// Blocks of one row.
    pub(crate) const fn row_blocks(&self) -> usize {
        self.cols / self.dtype().block_len()
    }

    /// Some of the rows; `None` if the range is not inside or cuts a tile.
    pub fn rows_range(&self, rows: Range<usize>) -> Option<Matrix<'w>> {
        let whole = rows.start.is_multiple_of(ROWS) && rows.end.is_multiple_of(ROWS);
        if rows.start > rows.end || rows.end > self.rows || self.packed && !whole {
            return None;
        }
        let blocks = self.blocks.skip(rows.start * self.row_stride);
        Some(Matrix { blocks, rows: rows.end - rows.start, ..*self })
    }

    /// Columns can be cut at multiples of this: a block of the format, or of packed weights.
    pub const fn column_unit(&self) -> usize {
        if self.packed { INPUT_BLOCK } else { self.dtype().block_len() }
    }

    /// Some of the columns; `None` if the range is not inside or cuts a block or a tile.
    pub fn columns(&self, cols: Range<usize>) -> Option<Matrix<'w>> {
        let block_len = self.dtype().block_len();
        let unit = self.column_unit();
        let inside = cols.start <= cols.end && cols.end <= self.cols;
        let whole = cols.start.is_multiple_of(unit) && cols.end.is_multiple_of(unit);
        if !(inside && whole) {
            return None;
        }
        let rows = if self.packed { ROWS } else { 1 };
        let blocks = self.blocks.skip(rows * (cols.start / block_len));
        Some(Matrix { blocks, cols: cols.end - cols.start, ..*self })
    }

    /// The blocks row by row, as stored; `None` for packed weights and for some of the columns.
    pub fn stored(&self) -> Option<&'w [u8]> {
        if self.packed || self.row_stride != self.row_blocks() {
            return None;
        }
        self.blocks.bytes().get(..self.bytes())
    }

    /// One row's values; `None` if there is no such row, or it is packed.
    pub fn row(&self, row: usize) -> Option<Blocks<'w>> {
        if row >= self.rows || self.packed {
            return None;
        }
        self.blocks.skip(row * self.row_stride).take(self.row_blocks())
    }
}
