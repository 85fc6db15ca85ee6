// Q5_1: repacking, and products with few tokens.
#include "gemv.cuh"

namespace xielu_cuda {

using Stored = StoredSmall<8, true>;
KERNEL(repack_q5_1, RepackArgs, (repack<Q5_1, Stored>))
GEMV(q5_1, Q5_1)

}  // namespace xielu_cuda
