// Products of quantized weights with several tokens by the tensor cores' int8 products (compute
// capability 8.0): a warp has a tile of 16 rows, or a part of its columns, and 8 tokens or several
// times 8. The integer sums of a block are exact, so they are those of `gemv.cuh`; what is added in
// f32 is added in an order that depends on the matrix alone.
#pragma once

#include "gemv.cuh"

namespace xielu_cuda {

// Sums of a lane: row g (0, 1) and row g + 8 (2, 3), tokens 2t (0, 2) and 2t + 1 (1, 3).
struct Quad {
    int32_t v[4];
};

// COLS 32: the whole block. 16: its half `half`. Collective.
template <unsigned COLS>
FN void mma(PerThread<Quad>& out, PerThread<Fragment>& a, PerThread<Pair>& b, unsigned half) {
#ifdef __CUDACC__
    int32_t(&d)[4] = out.own.v;
    const uint32_t(&w)[4] = a.own.a;
    const uint32_t(&x)[2] = b.own.words;
    if constexpr (COLS == 32) {
        asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 "
            "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %10, %10, %10};"
            : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
            : "r"(w[0]), "r"(w[1]), "r"(w[2]), "r"(w[3]), "r"(x[0]), "r"(x[1]), "r"(0));
    } else {
        asm("mma.sync.aligned.m16n8k16.row.col.s32.s8.s8.s32 "
            "{%0, %1, %2, %3}, {%4, %5}, {%6}, {%7, %7, %7, %7};"
            : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
            : "r"(w[2 * half]), "r"(w[2 * half + 1]), "r"(x[half]), "r"(0));
    }
#else
    for (unsigned warp = 0; warp < WARPS; ++warp) {
        const unsigned first = warp * WARP;
        for (unsigned lane = 0; lane < WARP; ++lane) {
            for (unsigned i = 0; i < 4; ++i) {
                const unsigned row = lane / 4, token = lane % 4 * 2 + i % 2;
                int32_t sum = 0;
                for (unsigned t = 0; t < 4; ++t) {
                    const uint32_t(&w)[4] = a[first + row * 4 + t].a;
                    const uint32_t(&x)[2] = b[first + token * 4 + t].words;
                    if (COLS == 32 || half == 0) sum = dot_4(w[i / 2], x[0], sum);
                    if (COLS == 32 || half == 1) sum = dot_4(w[2 + i / 2], x[1], sum);
                }
                out[first + lane].v[i] = sum;
            }
        }
    }
#endif
}

// 8 * EIGHTS tokens at once.
template <class F, unsigned EIGHTS>
FN void products(const Grid& grid, const ProductArgs& args) {
    constexpr unsigned N = 8 * EIGHTS;
    SHARED float sums[WARPS][N * TILE_ROWS];
    const uint64_t tiles = (args.w.rows + TILE_ROWS - 1) / TILE_ROWS;
    const uint64_t steps = (args.w.blocks + F::STEP - 1) / F::STEP;
    const uint64_t rounds = (steps + args.split - 1) / args.split;
    const unsigned at_once = WARPS / args.split;
    const uint64_t groups = (tiles + at_once - 1) / at_once;
    const uint64_t token_groups = (args.tokens + N - 1) / N;
    for (uint64_t unit = grid.block; unit < groups * token_groups; unit += grid.blocks) {
        const uint64_t first_tile = unit / token_groups * at_once;
        const uint64_t token = unit % token_groups * N;
        struct Sums {
            float v[EIGHTS][4];
        };
        PerThread<Sums> acc;
        EACH_THREAD(t) {
            UNROLL for (unsigned n = 0; n < EIGHTS; ++n) {
                UNROLL for (unsigned i = 0; i < 4; ++i) acc[t].v[n][i] = 0.0f;
            }
        }
        for (uint64_t round = 0; round < rounds; ++round) {
            PerThread<typename F::Raw> raw;
            PerThread<uint64_t> block;
            PerThread<bool> inside;
            // A warp without work has the last tile or step once more, and drops it.
            EACH_THREAD(t) {
                const unsigned warp = t / WARP;
                const uint64_t tile = first_tile + warp / args.split;
                const uint64_t step = round * args.split + warp % args.split;
                inside[t] = step < steps;
                block[t] = (inside[t] ? step : steps - 1) * F::STEP;
                raw[t] = F::load(args.w, tile < tiles ? tile : tiles - 1, block[t], t % WARP);
            }
            WARP_SYNC();
            UNROLL for (unsigned i = 0; i < F::STEP; ++i) {
                PerThread<Fragment> w;
                PerThread<Factors<F::HALVES>> factors;
                EACH_THREAD(t) {
                    w[t] = F::fragment(raw[t], i);
                    factors[t] = F::factors(raw[t], i);
                }
                UNROLL for (unsigned n = 0; n < EIGHTS; ++n) {
                    PerThread<Pair> x;
                    EACH_THREAD(t) {
                        const unsigned lane = t % WARP;
                        const uint64_t at = token + 8 * n + lane / 4;
                        const uint64_t there = at < args.tokens ? at : args.tokens - 1;
                        x[t] = load_at<Pair>(args.x.quants + there * args.x.stride +
                                             (block[t] + i) * GROUP + lane % 4 * 8);
                    }
                    PerThread<Quad> low, high;
                    if constexpr (F::HALVES) {
                        mma<16>(low, w, x, 0);
                        mma<16>(high, w, x, 1);
                    } else {
                        mma<32>(low, w, x, 0);
                    }
                    EACH_THREAD(t) {
                        UNROLL for (unsigned c = 0; c < 2; ++c) {
                            const uint64_t at = token + 8 * n + t % 4 * 2 + c;
                            const uint64_t there = at < args.tokens ? at : args.tokens - 1;
                            const InputGroup group =
                                args.x.groups[there * (args.x.stride / GROUP) + block[t] + i];
                            const int32_t inputs[2] = {group.sums[0], group.sums[1]};
                            UNROLL for (unsigned r = 0; r < 2; ++r) {
                                const unsigned k = 2 * r + c;
                                int32_t halves[2] = {low[t].v[k], 0};
                                if constexpr (F::HALVES) halves[1] = high[t].v[k];
                                float& sum = acc[t].v[n][k];
                                const float more =
                                    add_block<F>(sum, factors[t], r, halves, inputs, group.d);
                                sum = inside[t] ? more : sum;
                            }
                        }
                    }
                }
            }
        }
        EACH_THREAD(t) {
            const unsigned lane = t % WARP;
            UNROLL for (unsigned n = 0; n < EIGHTS; ++n) {
                UNROLL for (unsigned k = 0; k < 4; ++k) {
                    const unsigned at = 8 * n + lane % 4 * 2 + k % 2;
                    sums[t / WARP][at * TILE_ROWS + lane / 4 + k / 2 * 8] = acc[t].v[n][k];
                }
            }
        }
        BARRIER();
        write_tiles<N>(args, first_tile, token, sums);
        BARRIER();
    }
}

// Tokens of a prompt that a block takes at once.
constexpr unsigned PROMPT = 64;

// The inputs of a step and PROMPT tokens. Rows lie so that the 16 lanes of an access have 16 banks
// of 8 bytes.
template <class F>
struct alignas(16) Stage {
    static constexpr unsigned PITCH = F::STEP * GROUP + 32;
    uint8_t quants[PROMPT * PITCH];
    InputGroup groups[F::STEP * PROMPT];
};

// Thread t's share of what a block stages; tokens beyond the last one are the last one.
template <class F>
FN void stage(Stage<F>& to, const ProductArgs& args, uint64_t token, uint64_t block, unsigned t) {
    constexpr unsigned PACKS = F::STEP * GROUP / 16;
    static_assert(PROMPT * PACKS % THREADS == 0, "every thread has as many");
    const auto there = [&](unsigned n) {
        return token + n < args.tokens ? token + n : args.tokens - 1;
    };
    UNROLL for (unsigned first = 0; first < PROMPT * PACKS; first += THREADS) {
        const unsigned n = (first + t) / PACKS, pack = (first + t) % PACKS;
        const uint8_t* from = args.x.quants + there(n) * args.x.stride + block * GROUP;
        store_at(to.quants + n * Stage<F>::PITCH + pack * 16, load_at<Pack>(from + pack * 16));
    }
    for (unsigned i = t; i < PROMPT * F::STEP; i += THREADS) {
        const unsigned n = i / F::STEP, b = i % F::STEP;
        to.groups[b * PROMPT + n] =
            args.x.groups[there(n) * (args.x.stride / GROUP) + block + b];
    }
}

// 64 tokens and 128 rows a block, a tile a warp.
template <class F>
FN void prompt(const Grid& grid, const ProductArgs& args) {
    constexpr unsigned EIGHTS = PROMPT / 8;
    SHARED Stage<F> staged;
    const uint64_t tiles = (args.w.rows + TILE_ROWS - 1) / TILE_ROWS;
    const uint64_t groups = (tiles + WARPS - 1) / WARPS;
    const uint64_t token_groups = (args.tokens + PROMPT - 1) / PROMPT;
    for (uint64_t unit = grid.block; unit < groups * token_groups; unit += grid.blocks) {
        const uint64_t first_tile = unit / token_groups * WARPS;
        const uint64_t token = unit % token_groups * PROMPT;
        struct Sums {
            float v[EIGHTS][4];
        };
        PerThread<Sums> acc;
        EACH_THREAD(t) {
            UNROLL for (unsigned n = 0; n < EIGHTS; ++n) {
                UNROLL for (unsigned i = 0; i < 4; ++i) acc[t].v[n][i] = 0.0f;
            }
        }
        for (uint64_t block = 0; block < args.w.blocks; block += F::STEP) {
            PerThread<typename F::Raw> raw;
            EACH_THREAD(t) {
                const uint64_t tile = first_tile + t / WARP;
                raw[t] = F::load(args.w, tile < tiles ? tile : tiles - 1, block, t % WARP);
                stage(staged, args, token, block, t);
            }
            BARRIER();
            UNROLL for (unsigned i = 0; i < F::STEP; ++i) {
                PerThread<Fragment> w;
                PerThread<Factors<F::HALVES>> factors;
                EACH_THREAD(t) {
                    w[t] = F::fragment(raw[t], i);
                    factors[t] = F::factors(raw[t], i);
                }
                UNROLL for (unsigned n = 0; n < EIGHTS; ++n) {
                    PerThread<Pair> x;
                    EACH_THREAD(t) {
                        const unsigned lane = t % WARP;
                        x[t] = load_at<Pair>(staged.quants + (8 * n + lane / 4) * Stage<F>::PITCH +
                                             i * GROUP + lane % 4 * 8);
                    }
                    PerThread<Quad> low, high;
                    if constexpr (F::HALVES) {
                        mma<16>(low, w, x, 0);
                        mma<16>(high, w, x, 1);
                    } else {
                        mma<32>(low, w, x, 0);
                    }
                    EACH_THREAD(t) {
                        UNROLL for (unsigned c = 0; c < 2; ++c) {
                            const InputGroup group =
                                staged.groups[i * PROMPT + 8 * n + t % 4 * 2 + c];
                            const int32_t inputs[2] = {group.sums[0], group.sums[1]};
                            UNROLL for (unsigned r = 0; r < 2; ++r) {
                                const unsigned k = 2 * r + c;
                                int32_t halves[2] = {low[t].v[k], 0};
                                if constexpr (F::HALVES) halves[1] = high[t].v[k];
                                float& sum = acc[t].v[n][k];
                                sum = add_block<F>(sum, factors[t], r, halves, inputs, group.d);
                            }
                        }
                    }
                }
            }
            BARRIER();
        }
        EACH_THREAD(t) {
            const unsigned lane = t % WARP;
            const uint64_t row = (first_tile + t / WARP) * TILE_ROWS + lane / 4;
            UNROLL for (unsigned n = 0; n < EIGHTS; ++n) {
                UNROLL for (unsigned k = 0; k < 4; ++k) {
                    const uint64_t at = token + 8 * n + lane % 4 * 2 + k % 2;
                    if (row + k / 2 * 8 < args.w.rows && at < args.tokens) {
                        float* y = args.y + at * args.w.rows + row + k / 2 * 8;
                        *y = args.add ? add(*y, acc[t].v[n][k]) : acc[t].v[n][k];
                    }
                }
            }
        }
    }
}

// Up to 8 tokens and several times 16, with the columns of a tile split; prompts.
#define PRODUCTS(format, Format)                                                            \
    WIDE_KERNEL((Format::MINS ? 1 : 2), mma_8_##format, ProductArgs, (products<Format, 1>)) \
    WIDE_KERNEL(1, mma_16_##format, ProductArgs, (products<Format, 2>))                     \
    WIDE_KERNEL((Format::MINS ? 1 : 2), prompt_##format, ProductArgs, (prompt<Format>))

}  // namespace xielu_cuda
