//! Plain Rust kernels: the meaning of every other folder.

pub(crate) mod activation;
pub(crate) mod backward;
mod dot;
pub(crate) mod matmul;
mod quantize;
pub(crate) mod token;
