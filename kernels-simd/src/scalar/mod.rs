//! Plain Rust kernels: the meaning of every other folder.

pub(crate) mod activation;
