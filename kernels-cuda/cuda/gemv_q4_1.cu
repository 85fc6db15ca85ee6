// Q4_1: repacking, and products with few tokens.
#include "gemv.cuh"

namespace xielu_cuda {

using Stored = StoredSmall<4, false>;
KERNEL(repack_q4_1, RepackArgs, (repack<Q4_1, Stored>))
GEMV(q4_1, Q4_1)

}  // namespace xielu_cuda
