// SwiGLU.
#include "forward.cuh"

namespace xielu_cuda {

KERNEL(swiglu_forward_f32, SwigluArgs, (forward_swiglu<F32>))
KERNEL(swiglu_forward_bf16, SwigluArgs, (forward_swiglu<BF16>))
KERNEL(swiglu_forward_f16, SwigluArgs, (forward_swiglu<F16>))

}  // namespace xielu_cuda
