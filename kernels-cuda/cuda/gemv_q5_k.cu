// Q5_K: repacking, and products with few tokens.
#include "gemv.cuh"

namespace xielu_cuda {

KERNEL(repack_q5_k, RepackArgs, (repack<Q5_K, StoredK<true>>))
GEMV(q5_k, Q5_K)

}  // namespace xielu_cuda
