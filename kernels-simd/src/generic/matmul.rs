//! Matrix products: their operands, and the table of kernels that every instruction set fills.

use bytemuck::Pod;

use crate::block::{
    BF16, BlockQ4_0, BlockQ4_K, BlockQ5_K, BlockQ6_K, BlockQ8_0, DType, F16, F32, InputBlock,
};
use crate::output::Output;

/// `out[t][r] (+)= dot(w[r], x[t])`: one product with its operands as typed blocks.
pub(crate) struct Gemm<'a, W, X> {
    /// Row `r` is `w[r * row_stride..][..row_blocks]`, unless `packed`.
    pub w: &'a [W],
    /// Whether `w` holds tiles ([`crate::generic::pack`]): those of 32 rows from
    /// `w[32 * p * row_stride]` on.
    pub packed: bool,
    pub row_stride: usize,
    pub row_blocks: usize,
    /// Token `t` is `x[t * x_stride..][..x_stride]`.
    pub x: &'a [X],
    pub x_stride: usize,
    pub out: Output<'a>,
    /// Add to what `out` holds instead of replacing it.
    pub accumulate: bool,
}

impl<'a, X> Gemm<'a, u8, X> {
    /// The same product, its weights as blocks of a type.
    #[inline(always)]
    pub fn typed<W: Pod>(self) -> Gemm<'a, W, X> {
        let Gemm { w, packed, row_stride, row_blocks, x, x_stride, out, accumulate } = self;
        let (row_stride, row_blocks) = (row_stride / size_of::<W>(), row_blocks / size_of::<W>());
        let w = bytemuck::try_cast_slice(w).unwrap_or_default();
        Gemm { w, packed, row_stride, row_blocks, x, x_stride, out, accumulate }
    }
}

/// A product kernel.
///
/// # Safety
/// This machine runs the kernel's instruction set.
pub(crate) type GemmFn<W, X> = unsafe fn(Gemm<'_, W, X>);

/// A product kernel of all quantized types that have none of their own. Blocks are given as bytes.
///
/// # Safety
/// As [`GemmFn`].
pub(crate) type UnpackedFn = unsafe fn(Gemm<'_, u8, InputBlock>, DType);

/// Adds `weights[s][r] * m[r]` over rows to `out[s]`, for each of some sets of weights; `rows` holds
/// `weights.len() / sets` rows of `out.len() / sets` values.
///
/// # Safety
/// This machine runs the kernel's instruction set.
pub(crate) type RowSumFn<W> = unsafe fn(rows: &[W], weights: &[f32], sets: usize, out: &mut [f32]);

/// Matrix kernels of one instruction set.
pub(crate) struct Table {
    pub f32: GemmFn<F32, f32>,
    pub f16: GemmFn<F16, f32>,
    pub bf16: GemmFn<BF16, f32>,
    pub q8_0: GemmFn<BlockQ8_0, InputBlock>,
    pub q4_0: GemmFn<BlockQ4_0, InputBlock>,
    pub q4_k: GemmFn<BlockQ4_K, InputBlock>,
    pub q5_k: GemmFn<BlockQ5_K, InputBlock>,
    pub q6_k: GemmFn<BlockQ6_K, InputBlock>,
    pub unpacked: UnpackedFn,
    pub row_sum_f32: RowSumFn<F32>,
    pub row_sum_f16: RowSumFn<F16>,
    pub row_sum_bf16: RowSumFn<BF16>,
    pub row_sum_q8_0: RowSumFn<BlockQ8_0>,
    /// `blocks.len() * 32` values to blocks; see [`crate::Kernels::quantize_q8_0`].
    pub quantize_q8_0: unsafe fn(x: &[f32], blocks: &mut [BlockQ8_0]),
    /// Whole groups of 32 values to the groups of blocks, from group `first` of the first block
    /// on; other groups keep what they hold. See [`crate::Kernels::quantize_input`].
    pub quantize_groups: unsafe fn(x: &[f32], blocks: &mut [InputBlock], first: usize),
}
