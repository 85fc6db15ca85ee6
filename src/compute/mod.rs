//! What layers compute with: kernels and who runs their parts, the caller's memory, packed weights.

mod backend;
mod functions;
pub(crate) mod packing;
#[cfg(feature = "micromath")]
pub mod rough;
pub(crate) mod rows;
#[cfg(all(feature = "two-cores", target_has_atomic = "32"))]
mod two_cores;
pub(crate) mod workspace;

#[cfg(feature = "rayon")]
pub use backend::Rayon;
pub use backend::{Backend, Executor, Serial};
pub(crate) use backend::{Granules, SERIAL, SMALL};
#[cfg(all(feature = "two-cores", target_has_atomic = "32"))]
pub use two_cores::TwoCores;
