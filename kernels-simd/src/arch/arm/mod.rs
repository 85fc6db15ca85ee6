//! Arm M-profile: what the scalar kernels of such a target use instead of plain Rust. There is one
//! set of kernels and nothing to detect: flash has no room for two.

#[cfg(all(xielu_dsp, not(xielu_vfma)))]
pub(crate) mod dsp;
#[cfg(all(xielu_dsp, xielu_vfma, not(xielu_mve)))]
pub(crate) mod dsp_fpu;
#[cfg(xielu_vfma)]
pub(crate) mod fpu;
#[cfg(xielu_vfma)]
pub(crate) mod halves;
#[cfg(xielu_mve)]
pub(crate) mod mve;
#[cfg(all(xielu_dsp, xielu_vfma, not(xielu_mve)))]
mod q8_0_pairs;
#[cfg(xielu_dsp)]
mod rows;

/// Who runs it: functions of assembly alone see neither the target's features nor its FPU.
#[cfg(all(xielu_vfma, not(xielu_armv8m)))]
macro_rules! cpu {
    () => {
        ".fpu fpv4-sp-d16"
    };
}
/// As above, for the least CPU that has the DSP instructions too.
#[cfg(all(xielu_vfma, xielu_armv8m, not(xielu_mve)))]
macro_rules! cpu {
    () => {
        ".cpu cortex-m33\n.fpu fpv5-sp-d16"
    };
}
/// As above, with Helium.
#[cfg(xielu_mve)]
macro_rules! cpu {
    () => {
        ".cpu cortex-m55"
    };
}
#[cfg(xielu_vfma)]
use cpu;
