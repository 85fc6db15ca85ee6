// F16 weights: products with few tokens.
#include "gemv_float.cuh"

namespace xielu_cuda {

GEMV_FLOAT(f16, F16)

}  // namespace xielu_cuda
