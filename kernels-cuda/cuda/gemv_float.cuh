// Products of float weights with f32 inputs, one token or a few: a warp has two rows, or a part of
// their columns. What is added in f32 is added in an order that depends on the matrix alone.
#pragma once

#include "element.cuh"
#include "inputs.cuh"

namespace xielu_cuda {

struct FloatProductArgs {
    // Rows of `stride` values, the last ones 0; `stride` is a multiple of 8, and no more than the
    // inputs'.
    const void* w;
    uint64_t stride;
    uint64_t rows;
    Inputs x;
    // [tokens, rows]
    float* y;
    uint64_t tokens;
    // Warps that share the columns of a row: 1, 2, 4 or 8.
    uint32_t split;
    // Adds to y instead of replacing it.
    uint32_t add;
};

// Rows of a warp, and values that a lane takes of each at once: two accesses.
constexpr unsigned ROWS = 2;

template <class T, unsigned N>
FN void gemv_float(const Grid& grid, const FloatProductArgs& args) {
    constexpr unsigned PACKS = 2, LANE = LANES<T>, STEP = WARP * LANE * PACKS;
    using Bits = typename T::Bits;
    SHARED float sums[WARPS][N * ROWS];
    const uint64_t steps = (args.stride + STEP - 1) / STEP;
    const uint64_t rounds = (steps + args.split - 1) / args.split;
    const unsigned at_once = WARPS / args.split * ROWS;
    const uint64_t groups = (args.rows + at_once - 1) / at_once;
    const uint64_t token_groups = (args.tokens + N - 1) / N;
    for (uint64_t unit = grid.block; unit < groups * token_groups; unit += grid.blocks) {
        const uint64_t first_row = unit / token_groups * at_once;
        const uint64_t token = unit % token_groups * N;
        struct Sums {
            float v[ROWS * N];
        };
        PerThread<Sums> acc;
        EACH_THREAD(t) {
            UNROLL for (unsigned i = 0; i < ROWS * N; ++i) acc[t].v[i] = 0.0f;
        }
        for (uint64_t round = 0; round < rounds; ++round) {
            EACH_THREAD(t) {
                const unsigned warp = t / WARP;
                const uint64_t step = round * args.split + warp % args.split;
                const uint64_t row = first_row + warp / args.split * ROWS;
                Pack packs[ROWS][PACKS];
                UNROLL for (unsigned r = 0; r < ROWS; ++r) {
                    const uint64_t there = row + r < args.rows ? row + r : args.rows - 1;
                    const Bits* w = static_cast<const Bits*>(args.w) + there * args.stride;
                    UNROLL for (unsigned p = 0; p < PACKS; ++p) {
                        const uint64_t k = step * STEP + (p * WARP + t % WARP) * LANE;
                        packs[r][p] = k < args.stride ? *reinterpret_cast<const Pack*>(w + k)
                                                      : Pack{};
                    }
                }
                WARP_SYNC();
                UNROLL for (unsigned p = 0; p < PACKS; ++p) {
                    const uint64_t k = step * STEP + (p * WARP + t % WARP) * LANE;
                    if (k < args.stride) {
                        UNROLL for (unsigned n = 0; n < N; ++n) {
                            const uint64_t at = token + n < args.tokens ? token + n : token;
                            const float* x = args.x.values + at * args.x.stride + k;
                            Pack values[LANE / 4];
                            UNROLL for (unsigned j = 0; j < LANE / 4; ++j) {
                                values[j] = reinterpret_cast<const Pack*>(x)[j];
                            }
                            UNROLL for (unsigned r = 0; r < ROWS; ++r) {
                                float sum = acc[t].v[ROWS * n + r];
                                UNROLL for (unsigned j = 0; j < LANE; ++j) {
                                    const uint32_t word = packs[r][p].words[j / (LANE / 4)];
                                    const auto bits =
                                        static_cast<Bits>(word >> (j % (LANE / 4) * 16));
                                    const float v = float_of(values[j / 4].words[j % 4]);
                                    sum = fma(T::widen(bits), v, sum);
                                }
                                acc[t].v[ROWS * n + r] = sum;
                            }
                        }
                    }
                }
            }
        }
        UNROLL for (unsigned i = 0; i < ROWS * N; ++i) {
            PerThread<float> sum;
            EACH_THREAD(t) { sum[t] = acc[t].v[i]; }
            warp_sum(sum);
            EACH_THREAD(t) {
                if (t % WARP == 0) sums[t / WARP][i] = sum[t];
            }
        }
        BARRIER();
        EACH_THREAD(t) {
            const unsigned n = t / at_once, r = t % at_once;
            const uint64_t row = first_row + r;
            if (n < N && row < args.rows && token + n < args.tokens) {
                float sum = 0.0f;
                for (unsigned part = 0; part < args.split; ++part) {
                    sum = add(sum, sums[r / ROWS * args.split + part][ROWS * n + r % ROWS]);
                }
                float* y = args.y + (token + n) * args.rows + row;
                *y = args.add ? add(*y, sum) : sum;
            }
        }
        BARRIER();
    }
}

#define GEMV_FLOAT(format, Format)                                                   \
    WIDE_KERNEL(2, gemv_1_##format, FloatProductArgs, (gemv_float<Format, 1>))                \
    WIDE_KERNEL(2, gemv_2_##format, FloatProductArgs, (gemv_float<Format, 2>))                \
    WIDE_KERNEL(2, gemv_4_##format, FloatProductArgs, (gemv_float<Format, 4>))                \
    WIDE_KERNEL(1, gemv_8_##format, FloatProductArgs, (gemv_float<Format, 8>))

}  // namespace xielu_cuda
