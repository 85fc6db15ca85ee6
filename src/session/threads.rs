//! Who runs the parts of a product.

use std::boxed::Box;

use super::{SessionError, SessionOptions};
use crate::Executor;

/// The calling thread alone: without feature `rayon` there are no others.
#[cfg(not(feature = "rayon"))]
pub(super) fn executor(_: &SessionOptions) -> Result<Box<dyn Executor + Send>, SessionError> {
    Ok(Box::new(crate::Serial))
}

#[cfg(feature = "rayon")]
pub(super) fn executor(options: &SessionOptions) -> Result<Box<dyn Executor + Send>, SessionError> {
    Ok(match options.threads {
        None => Box::new(crate::Rayon),
        Some(1) => Box::new(crate::Serial),
        Some(threads) => {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            Box::new(Pool(pool.map_err(|e| SessionError::Threads(Box::new(e)))?))
        }
    })
}

/// Threads that belong to one session.
#[cfg(feature = "rayon")]
struct Pool(rayon::ThreadPool);

#[cfg(feature = "rayon")]
impl Executor for Pool {
    fn threads(&self) -> usize {
        self.0.current_num_threads()
    }

    fn join(&self, a: &mut (dyn FnMut() + Send), b: &mut (dyn FnMut() + Send)) {
        self.0.join(a, b);
    }

    fn enter(&self, work: &mut (dyn FnMut() + Send)) {
        self.0.install(work);
    }
}
