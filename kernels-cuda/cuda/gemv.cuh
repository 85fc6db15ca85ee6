// Products of quantized weights with one token or a few, by dot products of four bytes. A warp has
// a tile of 16 rows, or a part of its columns; integer sums are exact, and what is added in f32 is
// added in an order that depends on the matrix alone.
#pragma once

#include "tiles.cuh"

namespace xielu_cuda {

struct ProductArgs {
    Tiles w;
    Inputs x;
    // [tokens, rows]
    float* y;
    uint64_t tokens;
    // Warps that share the columns of a tile: 1, 2, 4 or 8.
    uint32_t split;
    // Adds to y instead of replacing it.
    uint32_t add;
};

// One token's inputs of a lane, of one block.
struct Input {
    uint32_t q[2];
    float d;
    // Of halves.
    int32_t sums[2];
};

FN Input load_input(const Inputs& x, uint64_t token, uint64_t block, unsigned t) {
    const Pair q = load_at<Pair>(x.quants + token * x.stride + block * GROUP + t * 8);
    const InputGroup group = x.groups[token * (x.stride / GROUP) + block];
    return Input{{q.words[0], q.words[1]}, group.d, {group.sums[0], group.sums[1]}};
}

// Rows of tile `tile` and N tokens from `token` on: sums[part][token][row] of all parts, added in
// the order of the parts.
template <unsigned N>
FN void write_tiles(const ProductArgs& args, uint64_t first_tile, uint64_t token,
                    const float (&sums)[WARPS][N * TILE_ROWS]) {
    const unsigned tiles = WARPS / args.split;
    EACH_THREAD(t) {
        for (unsigned i = t; i < tiles * N * TILE_ROWS; i += THREADS) {
            const unsigned tile = i / (N * TILE_ROWS), at = i % (N * TILE_ROWS);
            const unsigned n = at / TILE_ROWS;
            const uint64_t row = (first_tile + tile) * TILE_ROWS + at % TILE_ROWS;
            if (row < args.w.rows && token + n < args.tokens) {
                float sum = 0.0f;
                for (unsigned part = 0; part < args.split; ++part) {
                    sum = add(sum, sums[tile * args.split + part][at]);
                }
                float* y = args.y + (token + n) * args.w.rows + row;
                *y = args.add ? add(*y, sum) : sum;
            }
        }
    }
}

template <class F, unsigned N>
FN void gemv(const Grid& grid, const ProductArgs& args) {
    SHARED float sums[WARPS][N * TILE_ROWS];
    const uint64_t tiles = (args.w.rows + TILE_ROWS - 1) / TILE_ROWS;
    const uint64_t steps = (args.w.blocks + F::STEP - 1) / F::STEP;
    const uint64_t rounds = (steps + args.split - 1) / args.split;
    const unsigned at_once = WARPS / args.split;
    const uint64_t groups = (tiles + at_once - 1) / at_once;
    const uint64_t token_groups = (args.tokens + N - 1) / N;
    for (uint64_t unit = grid.block; unit < groups * token_groups; unit += grid.blocks) {
        // Neighbouring blocks have the same weights and other tokens.
        const uint64_t first_tile = unit / token_groups * at_once;
        const uint64_t token = unit % token_groups * N;
        struct Sums {
            float v[2 * N];
        };
        PerThread<Sums> acc;
        EACH_THREAD(t) {
            UNROLL for (unsigned i = 0; i < 2 * N; ++i) acc[t].v[i] = 0.0f;
        }
        for (uint64_t round = 0; round < rounds; ++round) {
            EACH_THREAD(t) {
                const unsigned warp = t / WARP, lane = t % WARP;
                const uint64_t tile = first_tile + warp / args.split;
                const uint64_t step = round * args.split + warp % args.split;
                if (tile < tiles && step < steps) {
                    const auto raw = F::load(args.w, tile, step * F::STEP, lane);
                    WARP_SYNC();
                    UNROLL for (unsigned i = 0; i < F::STEP; ++i) {
                        const Fragment w = F::fragment(raw, i);
                        const auto factors = F::factors(raw, i);
                        UNROLL for (unsigned n = 0; n < N; ++n) {
                            const uint64_t at = token + n < args.tokens ? token + n : token;
                            Input x = load_input(args.x, at, step * F::STEP + i, lane % 4);
                            if (lane % 4 != 0) x.sums[0] = x.sums[1] = 0;
                            UNROLL for (unsigned r = 0; r < 2; ++r) {
                                const int32_t products[2] = {dot_4(w.a[r], x.q[0], 0),
                                                             dot_4(w.a[2 + r], x.q[1], 0)};
                                float& sum = acc[t].v[2 * n + r];
                                sum = add_block<F>(sum, factors, r, products, x.sums, x.d);
                            }
                        }
                    }
                }
            }
        }
        UNROLL for (unsigned i = 0; i < 2 * N; ++i) {
            PerThread<float> sum;
            EACH_THREAD(t) { sum[t] = acc[t].v[i]; }
            lanes_sum<2>(sum);
            EACH_THREAD(t) {
                const unsigned lane = t % WARP;
                if (lane % 4 == 0) {
                    sums[t / WARP][i / 2 * TILE_ROWS + i % 2 * 8 + lane / 4] = sum[t];
                }
            }
        }
        BARRIER();
        write_tiles<N>(args, first_tile, token, sums);
        BARRIER();
    }
}

// One token, and up to four at once.
#define GEMV(format, Format)                                 \
    WIDE_KERNEL(2, gemv_1_##format, ProductArgs, (gemv<Format, 1>))   \
    WIDE_KERNEL(1, gemv_4_##format, ProductArgs, (gemv<Format, 4>))

}  // namespace xielu_cuda
