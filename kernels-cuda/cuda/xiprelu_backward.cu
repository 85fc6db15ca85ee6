// Gradients of xIPReLU.
#include "backward.cuh"

namespace xielu_cuda {

KERNEL(xiprelu_backward_f32, BackwardArgs, (backward<XipreluSlopes, F32>))
KERNEL(xiprelu_backward_bf16, BackwardArgs, (backward<XipreluSlopes, BF16>))
KERNEL(xiprelu_backward_f16, BackwardArgs, (backward<XipreluSlopes, F16>))

}  // namespace xielu_cuda
