// Gradients of xIELU.
#include "backward.cuh"

namespace xielu_cuda {

KERNEL(xielu_backward_f32, BackwardArgs, (backward<XieluSlopes, F32>))
KERNEL(xielu_backward_bf16, BackwardArgs, (backward<XieluSlopes, BF16>))
KERNEL(xielu_backward_f16, BackwardArgs, (backward<XieluSlopes, F16>))

}  // namespace xielu_cuda
