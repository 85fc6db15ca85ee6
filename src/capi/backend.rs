//! Kernels and threads, as options of C structs choose them.

use super::Status;
use crate::kernels::Kernels;
use crate::{Backend, Serial};

/// The calling thread for 0, otherwise the process's pool.
pub(super) fn backend(parallel: u32) -> Result<Backend<'static>, Status> {
    let kernels = Kernels::detect();
    match parallel {
        0 => Ok(Backend::new(kernels, &Serial)),
        #[cfg(feature = "rayon")]
        _ => Ok(Backend::new(kernels, &crate::Rayon)),
        #[cfg(not(feature = "rayon"))]
        _ => Err(Status::Option),
    }
}
