// xIELU as it was first: every element by the form that suits all inputs and coefficients.
#include "../../cuda/forward.cuh"

namespace xielu_cuda {

struct XieluGeneral : Unary<XieluGeneral> {
    static FN float one(const Layer& c, float x) { return xielu(c, x); }
};

KERNEL(xielu_forward_1_f32, ForwardArgs, (forward<XieluGeneral, F32>))
KERNEL(xielu_forward_1_bf16, ForwardArgs, (forward<XieluGeneral, BF16>))
KERNEL(xielu_forward_1_f16, ForwardArgs, (forward<XieluGeneral, F16>))

}  // namespace xielu_cuda
