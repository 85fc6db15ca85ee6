//! Packing: weights kept as tiles, the same bytes in the order in which GEMM reads them.

use crate::block::{Blocks, INPUT_BLOCK};
use crate::generic::pack::{Pack, SCATTERED, Words32};
use crate::generic::panel::ROWS;
use crate::kernels::Kernels;
use crate::matrix::{Matrix, Shape, ShapeError};

impl Kernels {
    /// Whether [`Kernels::pack`] takes these weights: of a type whose tiles pay
    /// ([`DType::has_tiles`](crate::DType::has_tiles)), whole tiles of 32 rows and 256 columns, and an
    /// instruction set with panel products.
    pub fn can_pack(&self, w: &Matrix<'_>) -> bool {
        let whole = w.rows().is_multiple_of(ROWS) && w.cols().is_multiple_of(INPUT_BLOCK);
        self.isa().has_panels() && w.dtype().has_tiles() && whole && !w.is_packed()
    }

    /// Copies weights to `memory`, packed: 32 rows of 256 columns are stored together, four bytes
    /// of each row side by side. Products of few tokens are faster then, and give the results of a
    /// prompt (with AMX: of one of fewer than 32 tokens); the price is the copy, [`Matrix::bytes`].
    /// The order is the same for every instruction set.
    ///
    /// # Errors
    /// [`ShapeError::Packing`] unless [`Kernels::can_pack`], [`ShapeError::Bytes`] if `memory` is
    /// not [`Matrix::bytes`].
    pub fn pack<'m>(&self, w: &Matrix<'_>, memory: &'m mut [u8]) -> Result<Matrix<'m>, ShapeError> {
        if !self.can_pack(w) {
            return Err(ShapeError::Packing(w.dtype()));
        }
        let mismatch = ShapeError::Bytes { expected: w.bytes(), found: memory.len() };
        if memory.len() != w.bytes() {
            return Err(mismatch);
        }
        match w.blocks {
            Blocks::Q8_0(b) => pack_tiles(b, w, memory),
            Blocks::Q4_0(b) => pack_tiles(b, w, memory),
            Blocks::Q4_K(b) => pack_tiles(b, w, memory),
            Blocks::Q5_K(b) => pack_tiles(b, w, memory),
            Blocks::Q6_K(b) => pack_tiles(b, w, memory),
            _ => {} // `can_pack` has refused them
        }
        Matrix::packed(w.dtype(), Shape { rows: w.rows(), cols: w.cols() }, memory).ok_or(mismatch)
    }
}

/// The tiles of whole rows and chunks.
fn pack_tiles<P: Pack>(blocks: &[P], w: &Matrix<'_>, memory: &mut [u8]) {
    let Ok(tiles) = bytemuck::try_cast_slice_mut::<u8, P::Tile>(memory) else { return };
    let per_panel = w.cols() / INPUT_BLOCK;
    for (i, tile) in tiles.iter_mut().enumerate() {
        let (panel, chunk) =
            (i.checked_div(per_panel).unwrap_or(0), i.checked_rem(per_panel).unwrap_or(0));
        for first_row in (0..ROWS).step_by(SCATTERED) {
            let rows = core::array::from_fn(|r| {
                let first = (panel * ROWS + first_row + r) * w.row_stride + chunk * P::CHUNK;
                blocks.get(first..first + P::CHUNK).unwrap_or_default()
            });
            P::interleave(Words32, rows, tile, first_row);
        }
    }
}
