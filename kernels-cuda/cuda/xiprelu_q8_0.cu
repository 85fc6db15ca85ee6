// xIPReLU to Q8_0.
#include "q8_0.cuh"

namespace xielu_cuda {

KERNEL(xiprelu_q8_0_f32, ForwardArgs, (unary_q8_0<Xiprelu, F32>))
KERNEL(xiprelu_q8_0_bf16, ForwardArgs, (unary_q8_0<Xiprelu, BF16>))
KERNEL(xiprelu_q8_0_f16, ForwardArgs, (unary_q8_0<Xiprelu, F16>))

}  // namespace xielu_cuda
