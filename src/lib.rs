//! Run models trained with the xIELU activation anywhere.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

pub mod activation;
pub mod checkpoint;
pub mod config;
mod error;

pub use activation::{RawXielu, Xielu};
pub use config::Config;
pub use error::{ElementType, Error, Key, ShortName};
pub use xielu_kernels_simd as kernels;
