//! Kernels for aarch64.

pub(crate) mod detect;
pub(crate) mod neon;
