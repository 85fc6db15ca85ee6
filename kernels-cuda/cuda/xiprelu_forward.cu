// xIPReLU.
#include "forward.cuh"

namespace xielu_cuda {

KERNEL(xiprelu_forward_f32, ForwardArgs, (forward<Xiprelu, F32>))
KERNEL(xiprelu_forward_bf16, ForwardArgs, (forward<Xiprelu, BF16>))
KERNEL(xiprelu_forward_f16, ForwardArgs, (forward<Xiprelu, F16>))

}  // namespace xielu_cuda
