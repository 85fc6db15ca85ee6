// Q5_1: products with several tokens.
// target: compute_80
#include "mma.cuh"

namespace xielu_cuda {

PRODUCTS(q5_1, Q5_1)

}  // namespace xielu_cuda
