//! Plain Rust kernels: the meaning of every other folder.

pub(crate) mod activation;
pub(crate) mod backward;
pub(in crate::arch) mod dot;
pub(crate) mod matmul;
mod quantize;
#[cfg(all(xielu_soft, target_arch = "riscv32", target_feature = "m"))]
mod soft_rows;
pub(crate) mod token;
