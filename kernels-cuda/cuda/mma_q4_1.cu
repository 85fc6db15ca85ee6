// Q4_1: products with several tokens.
// target: compute_80
#include "mma.cuh"

namespace xielu_cuda {

PRODUCTS(q4_1, Q4_1)

}  // namespace xielu_cuda
