// ReLU^2 to Q8_0.
#include "q8_0.cuh"

namespace xielu_cuda {

KERNEL(relu2_q8_0_f32, ForwardArgs, (unary_q8_0<Relu2, F32>))
KERNEL(relu2_q8_0_bf16, ForwardArgs, (unary_q8_0<Relu2, BF16>))
KERNEL(relu2_q8_0_f16, ForwardArgs, (unary_q8_0<Relu2, F16>))

}  // namespace xielu_cuda
