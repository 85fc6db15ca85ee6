//! The C functions of `include/xielu.h` and `kernels-cuda/include/xielu_cuda.h`, in one library.

pub use xielu::capi;
pub use xielu_kernels_cuda::capi as cuda_capi;
