//! What computes: the kernels of one instruction set, and who runs their parts.

use core::num::NonZeroUsize;

use super::functions::Functions;
use crate::Error;
use crate::kernels::{Input, Kernels, Matrix, Output, QK};

/// Bare 32-bit targets do without threads, and without the code that divides work among them.
pub(crate) const SERIAL: bool = cfg!(all(target_os = "none", target_pointer_width = "32"));

/// Runs two pieces of work, on any threads. (On bare 32-bit targets nothing is divided, and no
/// executor called.)
///
/// Threads live above the kernels: the core splits its outputs by halves, calls this and knows
/// nothing else about them.
pub trait Executor: Sync {
    /// How many pieces can run at the same time.
    fn threads(&self) -> usize;

    /// Calls both once, in any order or at the same time, and returns when both are done.
    fn join(&self, a: &mut (dyn FnMut() + Send), b: &mut (dyn FnMut() + Send));
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
}

/// What computes one part of an output, given the part's first row.
pub(crate) type Work<'w, T> = &'w (dyn Fn(usize, Output<'_, T>) -> Result<(), Error> + Sync);

/// Splits `out` by rows, at multiples of `granule`, into `parts` of about equal size.
fn split<T: Send>(
    executor: &dyn Executor,
    first_row: usize,
    out: Output<'_, T>,
    granule: NonZeroUsize,
    parts: usize,
    work: Work<'_, T>,
) -> Result<(), Error> {
    let granules = out.rows() / granule + usize::from(out.rows() % granule != 0);
    if parts < 2 || granules < 2 {
        return work(first_row, out);
    }
    let left_parts = parts / 2;
    let at = (granules * left_parts / parts).max(1) * granule.get();
    let (left, right) = out.split_at_row(at);
    let (mut left, mut right) = (Some(left), Some(right));
    let (mut a, mut b) = (Ok(()), Ok(()));
    executor.join(
        &mut || {
            if let Some(left) = left.take() {
                a = split(executor, first_row, left, granule, left_parts, work);
            }
        },
        &mut || {
            if let Some(right) = right.take() {
                b = split(executor, first_row + at, right, granule, parts - left_parts, work);
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
    /// Below this many multiply-adds a product is not worth waking a thread for.
    const MIN_PARALLEL: usize = 1 << 17;

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

    /// Divides `out` by rows, at multiples of `granule`, among the executor's threads if
    /// `operations` (multiply-adds, about) are worth it. `work` is called once for each part.
    pub(crate) fn parts<T: Send>(
        &self,
        out: Output<'_, T>,
        granule: usize,
        operations: usize,
        work: Work<'_, T>,
    ) -> Result<(), Error> {
        if SERIAL || operations < Self::MIN_PARALLEL {
            return work(0, out);
        }
        let granule = NonZeroUsize::new(granule).unwrap_or(NonZeroUsize::MIN);
        split(self.executor, 0, out, granule, self.executor.threads(), work)
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
        self.parts(out, QK, operations, &|first, part| {
            let rows = first..first + part.rows();
            let w = w.rows_range(rows).ok_or(Error::OutOfRange("matrix rows"))?;
            let product = if accumulate { Kernels::matmul_add } else { Kernels::matmul };
            product(&self.kernels, &w, x, part).map_err(Error::from)
        })
    }
}
