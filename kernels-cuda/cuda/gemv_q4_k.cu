// Q4_K: repacking, and products with few tokens.
#include "gemv.cuh"

namespace xielu_cuda {

KERNEL(repack_q4_k, RepackArgs, (repack<Q4_K, StoredK<false>>))
GEMV(q4_k, Q4_K)

}  // namespace xielu_cuda
