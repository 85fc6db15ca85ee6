// ReLU^2.
#include "forward.cuh"

namespace xielu_cuda {

KERNEL(relu2_forward_f32, ForwardArgs, (forward<Relu2, F32>))
KERNEL(relu2_forward_bf16, ForwardArgs, (forward<Relu2, BF16>))
KERNEL(relu2_forward_f16, ForwardArgs, (forward<Relu2, F16>))

}  // namespace xielu_cuda
