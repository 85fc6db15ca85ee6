//! Matrix products and the quantization of their inputs: shapes are checked here, before a kernel
//! runs.

use crate::block::{BlockQ8_0, Blocks, DType, INPUT_BLOCK, InputBlock, QK, UNPACKED};
use crate::generic::matmul::{Gemm, GemmFn, UnpackedFn};
use crate::kernels::{Kernels, LengthError, same_length};
use crate::matrix::{Input, Matrix, ShapeError};
use crate::output::Output;

impl Kernels {
    /// `out[t][r] = sum over c of w[r][c] * x[t][c]`.
    ///
    /// Float weights are widened to f32 and multiplied with f32 inputs; quantized weights are
    /// multiplied with quantized inputs, with exact integer sums inside a group of 32 (or 16). Sums
    /// across blocks are f32 and their order differs between instruction sets.
    ///
    /// # Errors
    /// If `x` is not `out.tokens() * w.cols()` values of the type `w` takes, or `out` has
    /// another number of rows than `w`. Nothing is written.
    pub fn matmul(&self, w: &Matrix<'_>, x: Input<'_>, out: Output<'_>) -> Result<(), ShapeError> {
        self.product(w, x, out, false)
    }

    /// As [`Kernels::matmul`], adding to what `out` holds.
    ///
    /// # Errors
    /// As [`Kernels::matmul`].
    pub fn matmul_add(
        &self,
        w: &Matrix<'_>,
        x: Input<'_>,
        out: Output<'_>,
    ) -> Result<(), ShapeError> {
        self.product(w, x, out, true)
    }

    fn product(
        &self,
        w: &Matrix<'_>,
        x: Input<'_>,
        out: Output<'_>,
        accumulate: bool,
    ) -> Result<(), ShapeError> {
        if out.rows() != w.rows() {
            return Err(ShapeError::Rows { expected: w.rows(), found: out.rows() });
        }
        let (t, dtype) = (self.matmul_table(), w.dtype());
        if w.is_packed() && !self.isa().has_panels() {
            return Err(ShapeError::Packing(dtype));
        }
        let call = Call { w, x_stride: x.stride(w), out, accumulate };
        match (w.blocks, x) {
            (Blocks::F32(b), Input::F32(x)) if DType::F32.is_built() => call.run(t.f32, b, x),
            (Blocks::F16(b), Input::F32(x)) if DType::F16.is_built() => call.run(t.f16, b, x),
            (Blocks::BF16(b), Input::F32(x)) if DType::BF16.is_built() => call.run(t.bf16, b, x),
            (Blocks::Q8_0(b), Input::Quantized(x)) if DType::Q8_0.is_built() => {
                call.run(t.q8_0, b, x)
            }
            (Blocks::Q4_0(b), Input::Quantized(x)) if DType::Q4_0.is_built() => {
                call.run(t.q4_0, b, x)
            }
            (Blocks::Q4_K(b), Input::Quantized(x)) if DType::Q4_K.is_built() => {
                call.run(t.q4_k, b, x)
            }
            (Blocks::Q5_K(b), Input::Quantized(x)) if DType::Q5_K.is_built() => {
                call.run(t.q5_k, b, x)
            }
            (Blocks::Q6_K(b), Input::Quantized(x)) if DType::Q6_K.is_built() => {
                call.run(t.q6_k, b, x)
            }
            _ if !dtype.is_built() => Err(ShapeError::NotBuilt(dtype)),
            (b, Input::Quantized(x)) if UNPACKED && dtype.is_quantized() => {
                call.run_unpacked(t.unpacked, b.bytes(), x)
            }
            _ => Err(ShapeError::InputType(dtype)),
        }
    }

    /// f32 to Q8_0: per block of 32, `d = max|x| / 127`, `q = x / d` rounded half away from
    /// zero, `d` stored as f16. The same bytes on every instruction set, and those of ggml's
    /// reference encoder. A block that holds a NaN or an infinity becomes all NaN.
    ///
    /// # Errors
    /// If `x` is not 32 values per block. Nothing is written.
    pub fn quantize_q8_0(&self, x: &[f32], blocks: &mut [BlockQ8_0]) -> Result<(), LengthError> {
        same_length(blocks.len().saturating_mul(QK), x.len())?;
        // SAFETY: `Kernels::for_isa` checked that this machine runs `self.isa`, whose kernel this
        // is.
        unsafe { (self.matmul_table().quantize_q8_0)(x, blocks) };
        Ok(())
    }

    /// Rows of `cols` f32 values to [`InputBlock`]s: per group of 32, `d = max|x| / 127`,
    /// `q = x / d` rounded half away from zero. The same bytes on every instruction set. A group
    /// that holds a NaN or an infinity gets a NaN scale.
    ///
    /// # Errors
    /// If `cols` is not a multiple of 32, `x` not a whole number of rows, or `blocks` not
    /// [`InputBlock::per_row`] blocks a row. Nothing is written.
    pub fn quantize_input(
        &self,
        x: &[f32],
        cols: usize,
        blocks: &mut [InputBlock],
    ) -> Result<(), LengthError> {
        let per_row = InputBlock::per_row(cols);
        let rows = x.len().checked_div(cols).unwrap_or(0);
        same_length(cols.next_multiple_of(QK), cols)?;
        same_length(rows * cols, x.len())?;
        same_length(rows.saturating_mul(per_row), blocks.len())?;
        for row in 0..rows {
            let x = x.get(row * cols..(row + 1) * cols).unwrap_or_default();
            let blocks = blocks.get_mut(row * per_row..(row + 1) * per_row).unwrap_or_default();
            if let (false, Some(last)) = (cols.is_multiple_of(INPUT_BLOCK), blocks.last_mut()) {
                *last = InputBlock::ZERO;
            }
            // SAFETY: `Kernels::for_isa` checked that this machine runs `self.isa`, whose kernel
            // this is.
            unsafe { (self.matmul_table().quantize_groups)(x, blocks, 0) };
        }
        Ok(())
    }
}

/// A product on its way to a kernel of the instruction set in use.
struct Call<'a> {
    w: &'a Matrix<'a>,
    x_stride: usize,
    out: Output<'a>,
    accumulate: bool,
}

impl<'a> Call<'a> {
    /// Checks the last length and runs. `kernel` is of an instruction set that this machine runs:
    /// it comes from the table of a [`Kernels`].
    fn run<W, X>(self, kernel: GemmFn<W, X>, blocks: &[W], x: &[X]) -> Result<(), ShapeError> {
        let g = self.gemm(blocks, 1, x)?;
        // SAFETY: the kernel is from the table of a `Kernels`: `Kernels::for_isa` checked that this
        // machine runs its instruction set.
        unsafe { kernel(g) };
        Ok(())
    }

    /// As [`Call::run`], of a kernel that is told the type.
    fn run_unpacked(
        self,
        kernel: UnpackedFn,
        bytes: &[u8],
        x: &[InputBlock],
    ) -> Result<(), ShapeError> {
        let dtype = self.w.dtype();
        let g = self.gemm(bytes, dtype.block_bytes(), x)?;
        // SAFETY: as in `run`.
        unsafe { kernel(g, dtype) };
        Ok(())
    }

    /// The operands; blocks are `unit` elements of `w`.
    #[inline(always)]
    fn gemm<'g, W, X>(
        self,
        w: &'g [W],
        unit: usize,
        x: &'g [X],
    ) -> Result<Gemm<'g, W, X>, ShapeError>
    where
        Self: 'g,
    {
        let Call { w: matrix, x_stride, out, accumulate } = self;
        let expected = x_stride.saturating_mul(out.tokens());
        if x.len() != expected {
            return Err(ShapeError::Input { expected, found: x.len() });
        }
        let (row_stride, row_blocks) = (matrix.row_stride * unit, matrix.row_blocks() * unit);
        let packed = matrix.is_packed();
        Ok(Gemm { w, packed, row_stride, row_blocks, x, x_stride, out, accumulate })
    }
}
