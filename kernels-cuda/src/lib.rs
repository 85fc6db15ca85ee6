//! CUDA kernels of [xielu](https://docs.rs/xielu): xIELU, xIPReLU, ReLU² and SwiGLU, forward and
//! backward, on f32, bf16 and f16.
//!
//! Nothing but a driver is needed at run time, and not even that to build: kernels are PTX inside
//! this crate, and the driver is loaded when [`Cuda::new`] is called. Where there is none, that is
//! an [`Error`].
//!
//! - [`Cuda`]: a device with its kernels; [`OnStream`]: safe functions on device slices.
//! - [`Raw`]: the same on addresses and a stream, with the caller's workspace: what a framework's
//!   own operation or a C program calls. It allocates nothing and waits for nothing.
//!
//! f32 results have the same bits as the CPU kernels', and gradients the same bits whatever the
//! launch: each sum has one order.
//!
//! ```no_run
//! use xielu_kernels_cuda::{Activation, Coefficients, Cuda};
//!
//! let cuda = Cuda::new(0)?;
//! let stream = cuda.context().default_stream();
//! let f = Activation::Xielu(Coefficients { alpha_p: 0.8, alpha_n: 0.8, beta: 0.5, eps: 0.0 });
//! let x = stream.clone_htod(&[-1.0f32, 0.0, 2.0])?;
//! let mut y = stream.alloc_zeros::<f32>(3)?;
//! cuda.on(&stream)?.forward(&f, &x, &mut y)?;
//! println!("{:?}", stream.clone_dtoh(&y)?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod args;
#[cfg(feature = "capi")]
pub mod capi;
pub mod decoder;
mod device;
mod dtype;
mod error;
mod freeze;
mod frozen;
#[cfg(feature = "host-twin")]
pub mod host;
mod inputs;
mod kernel;
mod launch;
mod mlp;
mod products;
mod raw;
mod scalars;
mod slices;
mod weights;

pub use cudarc;
pub use device::{Cuda, Stream};
pub use dtype::DType;
pub use error::Error;
pub use frozen::{Frozen, Learned, Scaled};
pub use inputs::{Forms, Inputs, InputsAt, Prepare};
pub use kernel::Kernel;
pub use launch::Launch;
pub use mlp::{DeviceMlp, MlpAt, MlpScratch};
pub use raw::{Backward, Raw, SwigluBackward, backward_workspace_len};
pub use scalars::{RawScalars, Scalars};
pub use slices::{Gradients, OnStream};
pub use weights::{DeviceMatrix, WeightsAt};
pub use xielu_kernels_simd::{Activation, ActivationKind, Coefficients, Element};
