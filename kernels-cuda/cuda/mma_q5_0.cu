// Q5_0: products with several tokens.
// target: compute_80
#include "mma.cuh"

namespace xielu_cuda {

PRODUCTS(q5_0, Q5_0)

}  // namespace xielu_cuda
