//! The activation maths, once: parameters, the functions on slices, their truth in f64, and how
//! accurate the kernels are.

pub mod accuracy;
#[cfg(feature = "cuda")]
mod cuda;
mod device;
mod divide;
mod elementwise;
mod elu;
mod params;
pub mod reference;
mod relu2;
mod silu;
mod swiglu;
mod xielu;
mod xiprelu;

pub use device::{AlphaGradients, Device};
pub use elementwise::{Differentiable, Elementwise};
pub use elu::Elu;
pub use params::Form;
pub use relu2::Relu2;
pub use silu::{Silu, Xsilu};
pub use swiglu::Swiglu;
pub use xielu::Xielu;
pub use xiprelu::Xiprelu;

#[cfg(feature = "micromath")]
pub use crate::compute::rough;
pub use crate::config::raw_xielu::RawXielu;
pub use crate::kernels::{Activation, ActivationKind, Coefficients, Element};
