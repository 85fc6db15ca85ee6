// f32 rows, activated on the way or as they are, to the inputs of a product.
#include "inputs.cuh"
#include "math.cuh"

namespace xielu_cuda {

struct QuantizeArgs {
    const float* x;
    // SwiGLU's.
    const float* gate;
    Inputs to;
    // Values of a row of x, and rows.
    uint64_t cols;
    uint64_t tokens;
    const Coefficients* device;
    Coefficients value;
};

// A warp takes a group of 32 values after another.
template <class F>
FN void quantize_rows(const Grid& grid, const QuantizeArgs& args, F f) {
    const uint64_t groups_a_row = args.to.stride / GROUP;
    const uint64_t groups = groups_a_row * args.tokens;
    for (uint64_t first = grid.block * WARPS; first < groups; first += grid.blocks * WARPS) {
        PerThread<float> v;
        PerThread<uint64_t> group;
        PerThread<bool> exists;
        EACH_THREAD(t) {
            group[t] = first + t / WARP;
            exists[t] = group[t] < groups;
            const uint64_t row = group[t] / groups_a_row;
            const uint64_t col = group[t] % groups_a_row * GROUP + t % WARP;
            v[t] = exists[t] && col < args.cols ? f(row * args.cols + col) : 0.0f;
        }
        store_group(v, group, exists, args.to);
    }
}

FN void quantize_as_is(const Grid& grid, const QuantizeArgs& args) {
    quantize_rows(grid, args, [&](uint64_t i) { return args.x[i]; });
}
FN void quantize_xielu_of(const Grid& grid, const QuantizeArgs& args) {
    const Layer c = choose(args.device, args.value);
    quantize_rows(grid, args, [&](uint64_t i) { return xielu(c, args.x[i]); });
}
FN void quantize_xiprelu_of(const Grid& grid, const QuantizeArgs& args) {
    const Layer c = choose(args.device, args.value);
    quantize_rows(grid, args, [&](uint64_t i) { return xiprelu(c, args.x[i]); });
}
FN void quantize_relu2_of(const Grid& grid, const QuantizeArgs& args) {
    quantize_rows(grid, args, [&](uint64_t i) { return relu2(args.x[i]); });
}
FN void quantize_swiglu_of(const Grid& grid, const QuantizeArgs& args) {
    quantize_rows(grid, args, [&](uint64_t i) { return swiglu(args.gate[i], args.x[i]); });
}

KERNEL(quantize, QuantizeArgs, quantize_as_is)
KERNEL(quantize_xielu, QuantizeArgs, quantize_xielu_of)
KERNEL(quantize_xiprelu, QuantizeArgs, quantize_xiprelu_of)
KERNEL(quantize_relu2, QuantizeArgs, quantize_relu2_of)
KERNEL(quantize_swiglu, QuantizeArgs, quantize_swiglu_of)

}  // namespace xielu_cuda
