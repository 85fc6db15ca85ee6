//! Arm M-profile: what the scalar kernels of such a target use instead of plain Rust. There is one
//! set of kernels and nothing to detect: flash has no room for two.

#[cfg(all(xielu_dsp, not(xielu_vfma)))]
pub(crate) mod dsp;
#[cfg(all(xielu_dsp, xielu_vfma, not(xielu_mve)))]
pub(crate) mod dsp_fpu;
#[cfg(xielu_vfma)]
pub(crate) mod fpu;
#[cfg(xielu_mve)]
pub(crate) mod mve;
#[cfg(xielu_dsp)]
mod rows;
