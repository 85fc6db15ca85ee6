// F32 weights: products with few tokens.
#include "gemv_float.cuh"

namespace xielu_cuda {

GEMV_FLOAT(f32, F32)

}  // namespace xielu_cuda
