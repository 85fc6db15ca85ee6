// Q5_0: repacking, and products with few tokens.
#include "gemv.cuh"

namespace xielu_cuda {

using Stored = StoredSmall<6, true>;
KERNEL(repack_q5_0, RepackArgs, (repack<Q5_0, Stored>))
GEMV(q5_0, Q5_0)

}  // namespace xielu_cuda
