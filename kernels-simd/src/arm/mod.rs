//! Arm M-profile: what the scalar kernels of such a target use instead of plain Rust. There is one
//! set of kernels and nothing to detect: flash has no room for two.

#[cfg(xielu_dsp)]
pub(crate) mod dsp;
#[cfg(xielu_vfma)]
pub(crate) mod fpu;
#[cfg(all(xielu_dsp, xielu_vfma))]
mod q8_0;
