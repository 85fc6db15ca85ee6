//! Run models trained with the xIELU activation anywhere.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

pub mod activation;
mod backend;
pub mod checkpoint;
pub mod config;
mod error;
pub mod llama;
pub mod mlp;
pub mod quant;
mod scratch;

pub use activation::{RawXielu, Xielu};
#[cfg(feature = "rayon")]
pub use backend::Rayon;
pub use backend::{Backend, Executor, Serial};
pub use config::Config;
pub use error::{ElementType, Error, Key, ShortName};
pub use mlp::Mlp;
pub use xielu_kernels_simd as kernels;
