// SwiGLU to Q8_0.
#include "q8_0.cuh"

namespace xielu_cuda {

KERNEL(swiglu_q8_0_f32, SwigluArgs, (swiglu_q8_0<F32>))
KERNEL(swiglu_q8_0_bf16, SwigluArgs, (swiglu_q8_0<BF16>))
KERNEL(swiglu_q8_0_f16, SwigluArgs, (swiglu_q8_0<F16>))

}  // namespace xielu_cuda
