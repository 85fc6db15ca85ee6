//! CUDA kernels of xielu. This crate is empty: no CUDA kernel exists yet. It holds the place
//! the workspace layout gives it and is not published.
