// BF16 weights: products with few tokens.
#include "gemv_float.cuh"

namespace xielu_cuda {

GEMV_FLOAT(bf16, BF16)

}  // namespace xielu_cuda
