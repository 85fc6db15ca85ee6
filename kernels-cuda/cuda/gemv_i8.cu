// The formats without kernels of their own: repacking, and products with few tokens.
#include "gemv.cuh"

namespace xielu_cuda {

KERNEL(repack_i8, RepackArgs, (repack<I8, StoredBytes>))
GEMV(i8, I8)

}  // namespace xielu_cuda
