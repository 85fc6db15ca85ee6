// xIELU to Q8_0.
#include "q8_0.cuh"

namespace xielu_cuda {

KERNEL(xielu_q8_0_f32, ForwardArgs, (unary_q8_0<Xielu, F32>))
KERNEL(xielu_q8_0_bf16, ForwardArgs, (unary_q8_0<Xielu, BF16>))
KERNEL(xielu_q8_0_f16, ForwardArgs, (unary_q8_0<Xielu, F16>))

}  // namespace xielu_cuda
