// Q4_0: repacking, and products with few tokens.
#include "gemv.cuh"

namespace xielu_cuda {

using Stored = StoredSmall<2, false>;
KERNEL(repack_q4_0, RepackArgs, (repack<Q4_0, Stored>))
GEMV(q4_0, Q4_0)

}  // namespace xielu_cuda
