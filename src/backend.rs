//! What computes: the kernels of one instruction set, and who runs their parts.

use crate::Error;
use crate::kernels::{Input, Kernels, Matrix, Output};

/// Runs the parts of one output, in any order, on any threads.
///
/// Threads live above the kernels: the core calls this and knows nothing else about them.
pub trait Executor: Sync {
    /// Divides `out` by rows into parts that start at multiples of `granule`, calls `work` once
    /// for each with the part's first row, and returns when all are done.
    ///
    /// # Errors
    /// The error of a part, if any failed.
    fn run(
        &self,
        out: Output<'_>,
        granule: usize,
        work: &(dyn Fn(usize, Output<'_>) -> Result<(), Error> + Sync),
    ) -> Result<(), Error>;
}

/// Runs everything as one part on the calling thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Serial;

impl Executor for Serial {
    fn run(
        &self,
        out: Output<'_>,
        _granule: usize,
        work: &(dyn Fn(usize, Output<'_>) -> Result<(), Error> + Sync),
    ) -> Result<(), Error> {
        work(0, out)
    }
}

/// Divides the work among the threads of the current rayon pool (feature `rayon`).
#[cfg(feature = "rayon")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Rayon;

#[cfg(feature = "rayon")]
impl Executor for Rayon {
    fn run(
        &self,
        out: Output<'_>,
        granule: usize,
        work: &(dyn Fn(usize, Output<'_>) -> Result<(), Error> + Sync),
    ) -> Result<(), Error> {
        halve(0, out, granule.max(1), rayon::current_num_threads(), work)
    }
}

/// Splits into `parts` of about equal size by halving.
#[cfg(feature = "rayon")]
fn halve(
    first_row: usize,
    out: Output<'_>,
    granule: usize,
    parts: usize,
    work: &(dyn Fn(usize, Output<'_>) -> Result<(), Error> + Sync),
) -> Result<(), Error> {
    let granules = out.rows().div_ceil(granule);
    if parts < 2 || granules < 2 {
        return work(first_row, out);
    }
    let left_parts = parts / 2;
    let at = (granules * left_parts / parts).max(1) * granule;
    let (left, right) = out.split_at_row(at);
    let (a, b) = rayon::join(
        || halve(first_row, left, granule, left_parts, work),
        || halve(first_row + at, right, granule, parts - left_parts, work),
    );
    a.and(b)
}

/// Kernels and an executor: everything a layer needs besides weights and memory.
#[derive(Clone, Copy)]
pub struct Backend<'e> {
    /// The kernels of one instruction set.
    pub kernels: Kernels,
    executor: &'e dyn Executor,
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
    /// Below this many multiply-adds a product is not worth waking a thread for.
    const MIN_PARALLEL: usize = 1 << 17;

    /// Kernels, and who runs their parts.
    pub const fn new(kernels: Kernels, executor: &'e dyn Executor) -> Self {
        Backend { kernels, executor }
    }

    /// Divides `out` by rows among the executor's threads if `operations` (multiply-adds, about)
    /// are worth it; see [`Executor::run`].
    pub(crate) fn parts(
        &self,
        out: Output<'_>,
        granule: usize,
        operations: usize,
        work: &(dyn Fn(usize, Output<'_>) -> Result<(), Error> + Sync),
    ) -> Result<(), Error> {
        if operations < Self::MIN_PARALLEL {
            return work(0, out);
        }
        self.executor.run(out, granule, work)
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
        self.parts(out, 1, operations, &|first, part| {
            let rows = first..first + part.rows();
            let w = w.rows_range(rows).ok_or(Error::OutOfRange("matrix rows"))?;
            let product = if accumulate { Kernels::matmul_add } else { Kernels::matmul };
            product(&self.kernels, &w, x, part).map_err(Error::from)
        })
    }
}
