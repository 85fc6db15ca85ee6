//! NEON: what every aarch64 CPU with floating point has.

pub(crate) mod activation;
