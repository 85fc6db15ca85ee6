// Q4_0: products with several tokens.
// target: compute_80
#include "mma.cuh"

namespace xielu_cuda {

PRODUCTS(q4_0, Q4_0)

}  // namespace xielu_cuda
