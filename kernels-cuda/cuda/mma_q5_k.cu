// Q5_K: products with several tokens.
// target: compute_80
#include "mma.cuh"

namespace xielu_cuda {

PRODUCTS(q5_k, Q5_K)

}  // namespace xielu_cuda
