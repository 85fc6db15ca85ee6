// Q4_K: products with several tokens.
// target: compute_80
#include "mma.cuh"

namespace xielu_cuda {

PRODUCTS(q4_k, Q4_K)

}  // namespace xielu_cuda
