// Unpacked formats: products with several tokens.
// target: compute_80
#include "mma.cuh"

namespace xielu_cuda {

PRODUCTS(i8, I8)

}  // namespace xielu_cuda
