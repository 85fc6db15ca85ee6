//! The first half of an MLP: a product whose results are activated, and quantized for the next
//! product, while they are still in the nearest cache.

use core::mem::MaybeUninit;
use core::ops::Range;

use crate::block::{GROUPS, INPUT_BLOCK, InputBlock, QK};
use crate::built;
use crate::generic::panel;
use crate::generic::parameters::Activation;
use crate::kernels::Kernels;
use crate::matrix::{Input, Matrix, ShapeError};
use crate::output::Output;

/// What follows a product before its results leave the nearest cache.
#[derive(Clone, Copy, Debug)]
pub enum Epilogue<'a> {
    /// `f(w . x)`.
    Activation(&'a Activation),
    /// `f(w . x)` by a function of the caller's, which replaces values by those of `f`.
    Custom(&'a Activation, fn(&Activation, &mut [f32])),
    /// `silu(gate . x) * (w . x)`, `gate` having the shape of `w`.
    Swiglu(&'a Matrix<'a>),
}

/// Values worked on at a time: a panel's rows for all tokens it meets, or, of few tokens, the
/// rows of an [`InputBlock`]. Elsewhere than on hosts the stack is small, and so is this.
const VALUES: usize =
    if cfg!(target_pointer_width = "64") { panel::ROWS * panel::TOKENS } else { INPUT_BLOCK };

type Buffer = [MaybeUninit<f32>; VALUES];

impl Kernels {
    /// `out[t][r] = epilogue(sum over c of w[r][c] * x[t][c])`.
    ///
    /// # Errors
    /// If the shapes do not fit together, as for [`Kernels::matmul`]; nothing is written.
    pub fn matmul_activated(
        &self,
        w: &Matrix<'_>,
        epilogue: Epilogue<'_>,
        x: Input<'_>,
        mut out: Output<'_>,
    ) -> Result<(), ShapeError> {
        check_rows(w.rows(), out.rows())?;
        self.steps(w, epilogue, x, out.tokens(), |t, rows, values| {
            if let Some(slots) = out.token(t).and_then(|out| out.get_mut(rows)) {
                slots.iter_mut().zip(values).for_each(|(slot, value)| *slot = *value);
            }
        })
    }

    /// As [`Kernels::matmul_activated`], quantized as by [`Kernels::quantize_input`]: the rows of
    /// `out` are [`InputBlock`]s of 256 rows of `w`. The f32 values are never all in memory.
    ///
    /// # Errors
    /// As [`Kernels::matmul_activated`], and if `w` does not have a multiple of 32 rows.
    pub fn matmul_quantized(
        &self,
        w: &Matrix<'_>,
        epilogue: Epilogue<'_>,
        x: Input<'_>,
        mut out: Output<'_, InputBlock>,
    ) -> Result<(), ShapeError> {
        check_rows(InputBlock::per_row(w.rows()), out.rows())?;
        check_rows(w.rows().next_multiple_of(QK), w.rows())?;
        let partial = !w.rows().is_multiple_of(INPUT_BLOCK);
        self.steps(w, epilogue, x, out.tokens(), |t, rows, values| {
            let Some(block) = out.element(t, rows.start / INPUT_BLOCK) else { return };
            let group = rows.start / QK % GROUPS;
            if partial && group == 0 {
                *block = InputBlock::ZERO;
            }
            // SAFETY: this machine runs `self.isa`, whose kernel this is (checked when `self`
            // was made).
            unsafe {
                (self.matmul_table().quantize_groups)(values, core::slice::from_mut(block), group)
            };
        })
    }

    /// Calls `emit` with each token, range of rows and the activated values of both.
    fn steps(
        &self,
        w: &Matrix<'_>,
        epilogue: Epilogue<'_>,
        x: Input<'_>,
        tokens: usize,
        mut emit: impl FnMut(usize, Range<usize>, &[f32]),
    ) -> Result<(), ShapeError> {
        let mut buffers = [const { [const { MaybeUninit::uninit() }; VALUES] }; 2];
        let [values, gates] = &mut buffers;
        let at_once = if tokens > VALUES / INPUT_BLOCK { panel::ROWS } else { INPUT_BLOCK };
        let stride = x.stride(w);
        for first in (0..w.rows()).step_by(at_once) {
            let rows = first..(first + at_once).min(w.rows());
            for start in (0..tokens).step_by(VALUES / at_once) {
                let count = (tokens - start).min(VALUES / at_once);
                let values = zeroed(values, count * rows.len());
                let x = x.slice(start * stride..(start + count) * stride)?;
                let part = w.rows_range(rows.clone()).unwrap_or(Matrix::EMPTY);
                self.matmul_into(&part, x, values)?;
                match epilogue {
                    Epilogue::Activation(f) => self.activate_in_place(f, values),
                    Epilogue::Custom(f, activate) => activate(f, values),
                    Epilogue::Swiglu(_) if !built::SWIGLU => values.fill(f32::NAN),
                    Epilogue::Swiglu(gate) => {
                        let missing = ShapeError::Rows { expected: w.rows(), found: gate.rows() };
                        let part = gate.rows_range(rows.clone()).ok_or(missing)?;
                        let gates = zeroed(gates, count * rows.len());
                        self.matmul_into(&part, x, gates)?;
                        // Two slices of one length: no error is possible.
                        let _ = self.swiglu_in_place(gates, values);
                    }
                }
                let mut rest = &*values;
                for t in start..start + count {
                    let Some((token, after)) = rest.split_at_checked(rows.len()) else { break };
                    emit(t, rows.clone(), token);
                    rest = after;
                }
            }
        }
        Ok(())
    }

    fn matmul_into(&self, w: &Matrix<'_>, x: Input<'_>, out: &mut [f32]) -> Result<(), ShapeError> {
        let wrong = ShapeError::Rows { expected: w.rows(), found: out.len() };
        self.matmul(w, x, Output::new(out, w.rows()).ok_or(wrong)?)
    }
}

fn check_rows(expected: usize, found: usize) -> Result<(), ShapeError> {
    if expected == found { Ok(()) } else { Err(ShapeError::Rows { expected, found }) }
}

/// The first `n` values (or as many as there are), set to 0.
fn zeroed(buffer: &mut Buffer, n: usize) -> &mut [f32] {
    let n = n.min(VALUES);
    for slot in buffer.iter_mut().take(n) {
        slot.write(0.0);
    }
    // SAFETY: the first `n` elements, at most all, were written just now.
    unsafe { core::slice::from_raw_parts_mut(buffer.as_mut_ptr().cast(), n) }
}
