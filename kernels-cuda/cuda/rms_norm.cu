// RMSNorm of each row: y[i] = x[i] * w[i] / sqrt(mean(x^2) + eps). A block takes a row.
#include "decoder.cuh"

namespace xielu_cuda {

struct RmsNormArgs {
    const float* x;
    const float* weight;
    float* y;
    // One for each row, `stride` apart: where a row whose squares have no finite sum is noted.
    uint32_t* noted;
    uint64_t rows;
    uint32_t width;
    uint32_t stride;
    float eps;
    uint32_t code;
};

FN void rms_norm_rows(const Grid& grid, const RmsNormArgs& args) {
    SHARED Gathered<float> squares;
    for (uint64_t row = grid.block; row < args.rows; row += grid.blocks) {
        const float* x = args.x + row * args.width;
        float* y = args.y + row * args.width;
        EACH_THREAD(t) {
            float sum = 0.0f;
            for (unsigned i = t; i < args.width; i += THREADS) sum = fma(x[i], x[i], sum);
            squares.each[t] = sum;
        }
        BARRIER();
        EACH_THREAD(t) { squares.join(t, Sum()); }
        BARRIER();
        EACH_THREAD(t) {
            const float sum = squares.all(Sum());
            const float mean = div(sum, static_cast<float>(args.width));
            const float scale = div(1.0f, root(add(mean, args.eps)));
            for (unsigned i = t; i < args.width; i += THREADS) {
                y[i] = mul(mul(x[i], scale), args.weight[i]);
            }
            if (t == 0 && !finite(sum)) note(args.noted + row * args.stride, args.code);
        }
        // `each` is written again before the next barrier, when `parts` alone may still be read.
    }
}

KERNEL(rms_norm, RmsNormArgs, rms_norm_rows)

}  // namespace xielu_cuda
