// Gradients of SwiGLU.
#include "backward.cuh"

namespace xielu_cuda {

KERNEL(swiglu_backward_f32, SwigluBackwardArgs, (backward_swiglu<F32>))
KERNEL(swiglu_backward_bf16, SwigluBackwardArgs, (backward_swiglu<BF16>))
KERNEL(swiglu_backward_f16, SwigluBackwardArgs, (backward_swiglu<F16>))

}  // namespace xielu_cuda
