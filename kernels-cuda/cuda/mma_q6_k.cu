// Q6_K: products with several tokens.
// target: compute_80
#include "mma.cuh"

namespace xielu_cuda {

PRODUCTS(q6_k, Q6_K)

}  // namespace xielu_cuda
