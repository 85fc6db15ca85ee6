// xIELU.
#include "forward.cuh"

namespace xielu_cuda {

KERNEL(xielu_forward_f32, ForwardArgs, (forward<Xielu, F32>))
KERNEL(xielu_forward_bf16, ForwardArgs, (forward<Xielu, BF16>))
KERNEL(xielu_forward_f16, ForwardArgs, (forward<Xielu, F16>))

}  // namespace xielu_cuda
