// Q8_0: products with several tokens.
// target: compute_80
#include "mma.cuh"

namespace xielu_cuda {

PRODUCTS(q8_0, Q8_0)

}  // namespace xielu_cuda
