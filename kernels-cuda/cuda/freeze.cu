// Stored scalars, on the device, to effective ones, without a copy to the host: what a training
// step needs. In f64, rounded once.
#include "element.cuh"
#include "math.cuh"

#ifndef __CUDACC__
#include <cmath>
#endif

namespace xielu_cuda {

struct FreezeArgs {
    const void* raw_p;
    const void* raw_n;
    Coefficients* out;
    float beta;
    float eps;
    // Storage of the scalars: 0 f32, 1 bf16, 2 f16.
    uint32_t dtype;
    // alpha_n = beta + softplus(raw_n), not softplus(raw_n).
    uint32_t beta_in_alpha_n;
};

FN double read(const void* p, uint32_t dtype) {
    if (dtype == 0) return F32::widen(*static_cast<const uint32_t*>(p));
    const uint16_t bits = *static_cast<const uint16_t*>(p);
    return dtype == 1 ? BF16::widen(bits) : F16::widen(bits);
}

// ln(1 + e^x), with full relative accuracy at both ends.
FN double softplus(double x) { return add(x > 0.0 ? x : 0.0, ::log1p(::exp(-::fabs(x)))); }

FN double sigmoid(double x) {
    const double e = ::exp(-::fabs(x));
    return (x < 0.0 ? e : 1.0) / add(1.0, e);
}

FN void freeze_scalars(const Grid&, const FreezeArgs& args) {
    EACH_THREAD(t) {
        if (t == 0) {
            const double p = read(args.raw_p, args.dtype);
            const double n = read(args.raw_n, args.dtype);
            const double shift = args.beta_in_alpha_n ? static_cast<double>(args.beta) : 0.0;
            args.out->alpha_p = static_cast<float>(softplus(p));
            args.out->alpha_n = static_cast<float>(add(shift, softplus(n)));
            args.out->beta = args.beta;
            args.out->eps = args.eps;
            args.out->sigmoid_p = sigmoid(p);
            args.out->sigmoid_n = sigmoid(n);
        }
    }
}

KERNEL(freeze, FreezeArgs, freeze_scalars)

}  // namespace xielu_cuda
