//! Plain Rust kernels: the meaning of every other folder.

pub(crate) mod activation;
pub(crate) mod backward;
pub(crate) mod dot;
pub(crate) mod matmul;
pub(crate) mod quantize;
