// Gradient of ReLU^2.
#include "backward.cuh"

namespace xielu_cuda {

KERNEL(relu2_backward_f32, BackwardArgs, (backward_relu2<F32>))
KERNEL(relu2_backward_bf16, BackwardArgs, (backward_relu2<BF16>))
KERNEL(relu2_backward_f16, BackwardArgs, (backward_relu2<F16>))

}  // namespace xielu_cuda
