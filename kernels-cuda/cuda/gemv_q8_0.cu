// Q8_0 and Q8_1: repacking, and products with few tokens.
#include "gemv.cuh"

namespace xielu_cuda {

KERNEL(repack_q8_0, RepackArgs, (repack<Q8_0, StoredQ8_0>))
KERNEL(repack_q8_1, RepackArgs, (repack<Q8_0, StoredQ8_1>))
GEMV(q8_0, Q8_0)

}  // namespace xielu_cuda
