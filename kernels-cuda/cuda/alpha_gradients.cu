// The tiles' partial sums to the gradients of the stored alphas: one block, one order.
#include "math.cuh"
#include "sums.cuh"

namespace xielu_cuda {

struct AlphaGradientsArgs {
    // Two a tile.
    const double* partials;
    uint64_t tiles;
    const Coefficients* device;
    Coefficients value;
    // Null where the gradient is not wanted.
    float* draw_p;
    float* draw_n;
    // Adds to them instead of replacing them.
    uint32_t accumulate;
};

FN void alpha_gradients_of(const Grid&, const AlphaGradientsArgs& args) {
    SHARED Sums sums;
    const Coefficients c = choose(args.device, args.value);
    EACH_THREAD(t) {
        double p = 0.0, n = 0.0;
        for (uint64_t tile = t; tile < args.tiles; tile += THREADS) {
            p = add(p, args.partials[2 * tile]);
            n = add(n, args.partials[2 * tile + 1]);
        }
        sums.first[0][t] = p;
        sums.first[1][t] = n;
    }
    add_up(sums, [&](unsigned t, double sum) {
        float* out = t == 0 ? args.draw_p : args.draw_n;
        if (!out) return;
        double gradient = mul(sum, t == 0 ? c.sigmoid_p : c.sigmoid_n);
        if (args.accumulate) gradient = add(static_cast<double>(*out), gradient);
        *out = canonical(static_cast<float>(gradient));
    });
}

KERNEL(alpha_gradients, AlphaGradientsArgs, alpha_gradients_of)

}  // namespace xielu_cuda
