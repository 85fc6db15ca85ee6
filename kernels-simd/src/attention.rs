//! Attention and its parts: shapes are checked here, before a kernel runs.

use core::num::NonZeroUsize;

use crate::block::{Blocks, DType};
use crate::built;
use crate::generic::attention::{Attend, AttendFn};
use crate::generic::softmax::OnlineSoftmax;
use crate::kernels::Kernels;
use crate::matrix::{Matrix, ShapeError};
use crate::output::Output;

/// What the heads attend to that share one head of keys and values: grouped-query attention.
#[derive(Clone, Copy, Debug)]
pub struct Attention<'a> {
    /// One row a position, `[positions, head_dim]`: F32, F16, BF16 or Q8_0.
    pub keys: Matrix<'a>,
    /// As the keys.
    pub values: Matrix<'a>,
    /// Head `g` of token `t` is `queries[t * query_stride + g * head_dim..][..head_dim]`.
    pub queries: &'a [f32],
    /// From one token's queries to the next's.
    pub query_stride: usize,
    /// Positions that the first token sees; every token sees one more than the one before it.
    pub visible: usize,
    /// What scores are multiplied by: `1 / sqrt(head_dim)`.
    pub scale: f32,
}

impl Attention<'_> {
    /// The heads of a group, if everything fits together.
    fn group(&self, out: &Output<'_>) -> Result<NonZeroUsize, ShapeError> {
        let (keys, values) = (&self.keys, &self.values);
        if values.rows() != keys.rows() {
            return Err(ShapeError::Rows { expected: keys.rows(), found: values.rows() });
        }
        let head_dim = keys.cols();
        let group = out.rows().checked_div(head_dim).and_then(NonZeroUsize::new);
        let expected = group.map_or(head_dim, |group| group.get() * head_dim);
        let Some(group) = group.filter(|_| values.cols() == head_dim && expected == out.rows())
        else {
            return Err(ShapeError::Rows { expected, found: out.rows() });
        };
        for m in [keys, values] {
            if m.is_packed() {
                return Err(ShapeError::Packing(m.dtype()));
            }
            if m.row_stride != m.row_blocks() {
                let expected = m.row_stride.saturating_mul(m.dtype().block_len());
                return Err(ShapeError::Rows { expected, found: head_dim });
            }
        }
        let tokens = out.tokens().saturating_sub(1);
        let expected = tokens.saturating_mul(self.query_stride).saturating_add(out.rows());
        if self.queries.len() < expected {
            return Err(ShapeError::Input { expected, found: self.queries.len() });
        }
        let expected = self.visible.saturating_add(tokens);
        if self.visible == 0 || keys.rows() < expected {
            return Err(ShapeError::Rows { expected: expected.max(1), found: keys.rows() });
        }
        Ok(group)
    }
}

impl Kernels {
    /// Whether there is [`Kernels::attend`] of this instruction set: of every one that has vectors.
    pub const fn has_attention(&self) -> bool {
        self.attention_table().is_some()
    }

    /// `out[t][g] = softmax(scale * keys . q[t][g]) . values`, over the positions that token `t`
    /// sees, for every head `g` of the group: `out` has `group * head_dim` rows. Everything is f32.
    /// Meant for many queries: it widens blocks of keys and values once for 128 of them. It takes
    /// 70 KiB of stack.
    ///
    /// # Errors
    /// If shapes or types do not fit together, a token sees no position, or
    /// [`Kernels::has_attention`] is false. Nothing is written.
    pub fn attend(&self, attention: &Attention<'_>, out: Output<'_>) -> Result<(), ShapeError> {
        let dtype = attention.keys.dtype();
        let group = attention.group(&out)?;
        let Some(table) = self.attention_table() else {
            return Err(ShapeError::NotBuilt(dtype));
        };
        let call = Call { attention, group, out };
        match (attention.keys.blocks, attention.values.blocks) {
            (Blocks::F32(keys), Blocks::F32(values)) => call.run(table.f32, keys, values),
            (Blocks::F16(keys), Blocks::F16(values)) => call.run(table.f16, keys, values),
            (Blocks::BF16(keys), Blocks::BF16(values)) => call.run(table.bf16, keys, values),
            (Blocks::Q8_0(keys), Blocks::Q8_0(values)) => call.run(table.q8_0, keys, values),
            _ => return Err(ShapeError::InputType(dtype)),
        }
        Ok(())
    }

    /// [`OnlineSoftmax::add`] by the kernels of this instruction set, with
    /// `e^x` within 2^-22 of itself, and 0 below `e^-87`.
    pub fn softmax(&self, state: &mut OnlineSoftmax, scores: &mut [f32], scale: f32) -> f32 {
        match self.attention_table() {
            // SAFETY: `Kernels::for_isa` checked that this machine runs `self.isa`, whose kernel
            // this is.
            Some(table) => unsafe { (table.softmax)(state, scores, scale) },
            None => state.add(scores, scale, libm::expf),
        }
    }

    /// `out[s][c] += sum over r of weights[s][r] * m[r][c]` for each set `s` of weights, for F32,
    /// F16, BF16 and Q8_0, in f32: rows are added in their order.
    ///
    /// # Errors
    /// If `weights` is not a whole number of sets of one per row, `out` not as many of one per
    /// column, or `m` is of another type, packed, or a range of columns. Nothing is written.
    pub fn add_weighted_rows(
        &self,
        m: &Matrix<'_>,
        weights: &[f32],
        out: &mut [f32],
    ) -> Result<(), ShapeError> {
        let sets = out.len().checked_div(m.cols()).unwrap_or(0);
        if m.row_stride != m.row_blocks() || sets * m.cols() != out.len() {
            let expected = m.row_stride.saturating_mul(m.dtype().block_len());
            return Err(ShapeError::Rows { expected, found: out.len() });
        }
        let expected = m.rows().saturating_mul(sets);
        if weights.len() != expected {
            return Err(ShapeError::Input { expected, found: weights.len() });
        }
        if m.is_packed() {
            return Err(ShapeError::Packing(m.dtype()));
        }
        let t = self.matmul_table();
        // SAFETY: `Kernels::for_isa` checked that this machine runs `self.isa`, whose kernels these
        // are.
        unsafe {
            match m.blocks {
                Blocks::F32(rows) if DType::F32.is_built() => {
                    (t.row_sum_f32)(rows, weights, sets, out)
                }
                Blocks::F16(rows) if DType::F16.is_built() => {
                    (t.row_sum_f16)(rows, weights, sets, out)
                }
                Blocks::BF16(rows) if DType::BF16.is_built() => {
                    (t.row_sum_bf16)(rows, weights, sets, out)
                }
                Blocks::Q8_0(rows) if built::Q8_0_KV => (t.row_sum_q8_0)(rows, weights, sets, out),
                _ => return Err(ShapeError::InputType(m.dtype())),
            }
        }
        Ok(())
    }
}

/// Attention on its way to a kernel of the instruction set in use.
struct Call<'a> {
    attention: &'a Attention<'a>,
    group: NonZeroUsize,
    out: Output<'a>,
}

impl Call<'_> {
    /// `kernel` is of an instruction set that this machine runs: it comes from the table of a
    /// [`Kernels`].
    fn run<W>(self, kernel: AttendFn<W>, keys: &[W], values: &[W]) {
        let Call { attention: a, group, out } = self;
        let attend = Attend {
            keys,
            values,
            positions: a.keys.rows(),
            head_dim: a.keys.cols(),
            row_blocks: a.keys.row_blocks(),
            queries: a.queries,
            query_stride: a.query_stride,
            group,
            visible: a.visible,
            scale: a.scale,
            out,
        };
        // SAFETY: the kernel is from the table of a `Kernels`: `Kernels::for_isa` checked that this
        // machine runs its instruction set.
        unsafe { kernel(attend) };
    }
}
