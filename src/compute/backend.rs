//! What computes: the kernels of one instruction set, and who runs their parts.

use super::functions::Functions;
use crate::Error;
use crate::kernels::{Input, Kernels, Matrix, Output, QK};

/// Bare 32-bit targets have little room for code: what pays only for many tokens or long contexts is
/// left out.
pub(crate) const SMALL: bool = cfg!(all(target_os = "none", target_pointer_width = "32"));

/// They do without the code that divides work, too, unless it is asked for.
pub(crate) const SERIAL: bool = SMALL && !cfg!(feature = "two-cores");

/// Runs two pieces of work, on any threads. (On bare 32-bit targets nothing is divided, and no
/// executor called, without feature `two-cores`.)
///
/// Threads live above the kernels: the core splits its outputs by halves, calls this and knows
/// nothing else about them.
pub trait Executor: Sync {
    /// How many pieces can run at the same time.
    fn threads(&self) -> usize;

    /// Calls both once, in any order or at the same time, and returns when both are done.
    fn join(&self, a: &mut (dyn FnMut() + Send), b: &mut (dyn FnMut() + Send));

    /// Calls `work` once and returns when it is done. A decoder runs a whole batch of tokens inside
    /// of one call: a pool of threads takes it among its own, where each [`Executor::join`] hands
    /// work to threads that are awake, and the calling thread is not woken after every product.
    fn enter(&self, work: &mut (dyn FnMut() + Send)) {
        work();
    }

    /// Below this many multiply-adds a product is not worth waking a thread for.
    fn min_operations(&self) -> usize {
        1 << 17
    }
}

/// Runs everything as one part on the calling thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Serial;

impl Executor for Serial {
    fn threads(&self) -> usize {
        1
    }

    fn join(&self, a: &mut (dyn FnMut() + Send), b: &mut (dyn FnMut() + Send)) {
        a();
        b();
    }
}

/// Divides the work among the threads of the current rayon pool (feature `rayon`).
#[cfg(feature = "rayon")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Rayon;

#[cfg(feature = "rayon")]
impl Executor for Rayon {
    fn threads(&self) -> usize {
        rayon::current_num_threads()
    }

    fn join(&self, a: &mut (dyn FnMut() + Send), b: &mut (dyn FnMut() + Send)) {
        rayon::join(a, b);
    }

    fn enter(&self, work: &mut (dyn FnMut() + Send)) {
        rayon::scope(|_| work());
    }
}

/// What computes one part of an output, given the part's first row and first token.
pub(crate) type Work<'w, T> = &'w (dyn Fn(usize, usize, Output<'_, T>) -> Result<(), Error> + Sync);

/// What computes some rows of an output, given the first.
pub(crate) type RowWork<'w, T> = &'w (dyn Fn(usize, Output<'_, T>) -> Result<(), Error> + Sync);

/// An [`Output`] is cut at multiples of these.
#[derive(Clone, Copy)]
pub(crate) struct Granules {
    pub rows: usize,
    pub tokens: usize,
}

/// Where the first of two halves of a dimension ends, the halves having `left` and `parts - left`
/// parts; `n` or more if it cannot be divided.
const fn cut(n: usize, granule: usize, left: usize, parts: usize) -> usize {
    let granule = if granule == 0 { 1 } else { granule };
    let granules = n.div_ceil(granule) * left / if parts == 0 { 1 } else { parts };
    (if granules == 0 { 1 } else { granules }).saturating_mul(granule)
}

/// Splits `out` into `parts` of about equal size: by rows, and by tokens where rows can be divided
/// no further.
fn split<T: Send>(
    executor: &dyn Executor,
    (first_row, first_token): (usize, usize),
    out: Output<'_, T>,
    granules: Granules,
    parts: usize,
    work: Work<'_, T>,
) -> Result<(), Error> {
    let left_parts = parts / 2;
    let row = cut(out.rows(), granules.rows, left_parts, parts);
    let token = cut(out.tokens(), granules.tokens, left_parts, parts);
    if parts < 2 || row >= out.rows() && token >= out.tokens() {
        return work(first_row, first_token, out);
    }
    let ((left, right), second) = if row < out.rows() {
        (out.split_at_row(row), (first_row + row, first_token))
    } else {
        (out.split_at_token(token), (first_row, first_token + token))
    };
    let (mut left, mut right) = (Some(left), Some(right));
    let (mut a, mut b) = (Ok(()), Ok(()));
    executor.join(
        &mut || {
            if let Some(left) = left.take() {
                a = split(executor, (first_row, first_token), left, granules, left_parts, work);
            }
        },
        &mut || {
            if let Some(right) = right.take() {
                b = split(executor, second, right, granules, parts - left_parts, work);
            }
        },
    );
    a.and(b)
}

/// Kernels and an executor: everything a layer needs besides weights and memory.
#[derive(Clone, Copy)]
pub struct Backend<'e> {
    /// The kernels of one instruction set.
    pub kernels: Kernels,
    executor: &'e dyn Executor,
    pub(crate) functions: Functions,
}

impl core::fmt::Debug for Backend<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Backend").field("kernels", &self.kernels).finish_non_exhaustive()
    }
}

impl Default for Backend<'_> {
    /// The fastest kernels of this machine, on the calling thread.
    fn default() -> Self {
        Backend::new(Kernels::detect(), &Serial)
    }
}

impl<'e> Backend<'e> {
    /// Kernels, and who runs their parts.
    pub const fn new(kernels: Kernels, executor: &'e dyn Executor) -> Self {
        Backend { kernels, executor, functions: Functions::Exact }
    }

    /// The same, with the xIELU of layers and attention's softmax computed by
    /// [`rough`](crate::activation::rough) (feature `micromath`).
    #[cfg(feature = "micromath")]
    pub const fn with_rough_functions(self) -> Self {
        Backend { functions: Functions::Rough, ..self }
    }

    /// Who runs the parts.
    pub(crate) const fn executor(&self) -> &'e dyn Executor {
        self.executor
    }

    /// Whether `operations` (multiply-adds, about) are worth more than one thread.
    pub(crate) fn divides(&self, operations: usize) -> bool {
        !SERIAL && operations >= self.executor.min_operations()
    }

    /// Divides `out` among the executor's threads if `operations` (multiply-adds, about) are worth
    /// it. `work` is called once for each part.
    pub(crate) fn parts<T: Send>(
        &self,
        out: Output<'_, T>,
        granules: Granules,
        operations: usize,
        work: Work<'_, T>,
    ) -> Result<(), Error> {
        if !self.divides(operations) {
            return work(0, 0, out);
        }
        split(self.executor, (0, 0), out, granules, self.executor.threads(), work)
    }

    /// As [`Backend::parts`], every part with all tokens.
    pub(crate) fn parts_of_rows<T: Send>(
        &self,
        out: Output<'_, T>,
        granule: usize,
        operations: usize,
        work: RowWork<'_, T>,
    ) -> Result<(), Error> {
        let granules = Granules { rows: granule, tokens: usize::MAX };
        self.parts(out, granules, operations, &|first_row, _, part| work(first_row, part))
    }

    /// `out[t] = w * x[t]`; see [`Kernels::matmul`].
    pub(crate) fn matmul(
        &self,
        w: &Matrix<'_>,
        x: Input<'_>,
        out: Output<'_>,
        accumulate: bool,
    ) -> Result<(), Error> {
        let operations = w.rows().saturating_mul(w.cols()).saturating_mul(out.tokens());
        self.parts_of_rows(out, QK, operations, &|first, part| {
            let rows = first..first + part.rows();
            let w = w.rows_range(rows).ok_or(Error::OutOfRange("matrix rows"))?;
            let product = if accumulate { Kernels::matmul_add } else { Kernels::matmul };
            product(&self.kernels, &w, x, part).map_err(Error::from)
        })
    }
}
