// Q6_K: repacking, and products with few tokens.
#include "gemv.cuh"

namespace xielu_cuda {

KERNEL(repack_q6_k, RepackArgs, (repack<Q6_K, StoredQ6_K>))
GEMV(q6_k, Q6_K)

}  // namespace xielu_cuda
