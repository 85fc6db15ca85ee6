// Gradients in one pass over memory, from x itself: dx, and the partial sums of the alphas'.
//
// A tile is a fixed range of elements whatever the grid, each of its threads adds its elements in a
// fixed order, and so does the block: one pair of doubles a tile, the same bits from any grid.
#pragma once

#include "forward.cuh"
#include "sums.cuh"

namespace xielu_cuda {

constexpr unsigned TILE_STEPS = 4;
constexpr uint64_t TILE = TILE_STEPS * STEP;

struct BackwardArgs {
    const void* x;
    const void* dy;
    // Null where the gradient is not wanted.
    void* dx;
    uint64_t n;
    // Two a tile; null likewise.
    double* partials;
    const Coefficients* device;
    Coefficients value;
    // Adds to dx instead of replacing it.
    uint32_t accumulate;
};

struct SwigluBackwardArgs {
    const void* gate;
    const void* up;
    const void* dy;
    void* d_gate;
    void* d_up;
    uint64_t n;
    uint32_t accumulate;
};

// Gives `use` the slopes at each of a thread's elements. All of them in the general form unless
// `MAY_BE_IDEAL`, which the ends of buffers are not worth.
struct XieluSlopes {
    template <bool MAY_BE_IDEAL, class Use>
    static FN void each(const Layer& c, const Chunk& x, Use use) {
        if (MAY_BE_IDEAL && is_ideal<CHUNK>(c, x.v)) {
            UNROLL for (unsigned j = 0; j < CHUNK; ++j) use(j, xielu_slopes_ideal(c, x.v[j]));
        } else {
            UNROLL for (unsigned j = 0; j < CHUNK; ++j) use(j, xielu_slopes(c, x.v[j]));
        }
    }
};
struct XipreluSlopes {
    template <bool MAY_BE_IDEAL, class Use>
    static FN void each(const Layer& c, const Chunk& x, Use use) {
        UNROLL for (unsigned j = 0; j < CHUNK; ++j) use(j, xiprelu_slopes(c, x.v[j]));
    }
};

// sum + dy*slope.
FN float gradient(float dy, float slope, float sum) { return canonical(fma(dy, slope, sum)); }

// What a gradient that replaces is added to.
constexpr float NOTHING = -0.0f;

// What is there if gradients accumulate, else nothing.
template <class T>
FN Chunk load_sum(const void* from, uint64_t start, unsigned t, bool accumulate) {
    Chunk sum[1];
    if (accumulate) {
        load_whole<T>({from}, start, t, sum);
    } else {
        UNROLL for (unsigned j = 0; j < CHUNK; ++j) sum[0].v[j] = NOTHING;
    }
    return sum[0];
}
template <class T>
FN float get_sum(const void* from, uint64_t i, bool accumulate) {
    return accumulate ? get<T>(from, i) : NOTHING;
}

// A tile's sums of dy*f'(alpha) in one thread.
struct AlphaSums {
    double p = 0.0, n = 0.0;
};

// Turns x and dy into dx, and adds to the sums.
template <class S, bool MAY_BE_IDEAL>
FN void differentiate(const Layer& c, const Chunk (&in)[2], Chunk& dx, AlphaSums& sums) {
    Chunk by_p, by_n;
    const Chunk& dy = in[1];
    S::template each<MAY_BE_IDEAL>(c, in[0], [&](unsigned j, const Slopes& slopes) {
        dx.v[j] = gradient(dy.v[j], slopes.dx, dx.v[j]);
        by_p.v[j] = mul(dy.v[j], slopes.alpha_p);
        by_n.v[j] = mul(dy.v[j], slopes.alpha_n);
    });
    sums.p = add(sums.p, static_cast<double>(pairwise<CHUNK>(by_p.v, 1)));
    sums.n = add(sums.n, static_cast<double>(pairwise<CHUNK>(by_n.v, 1)));
}

// Thread t's part of a tile that exists completely, in aligned buffers.
template <class S, class T>
FN AlphaSums whole_tile(const BackwardArgs& args, const Layer& c, uint64_t first, unsigned t) {
    AlphaSums sums;
    for (uint64_t start = first; start < first + TILE; start += STEP) {
        Chunk in[2];
        load_whole<T>({args.x, args.dy}, start, t, in);
        Chunk dx = load_sum<T>(args.dx, start, t, args.accumulate);
        differentiate<S, true>(c, in, dx, sums);
        if (args.dx) store_whole<T>(args.dx, start, t, dx);
    }
    return sums;
}

// The same of any tile.
template <class S, class T>
FN AlphaSums any_tile(const BackwardArgs& args, const Layer& c, uint64_t first, unsigned t) {
    AlphaSums sums;
    for (uint64_t start = first; start < first + TILE && start < args.n; start += STEP) {
        Chunk in[2];
        load_part<T>({args.x, args.dy}, start, args.n, t, in);
        Chunk dx[1];
        if (args.accumulate) {
            load_part<T>({args.dx}, start, args.n, t, dx);
        } else {
            UNROLL for (unsigned j = 0; j < CHUNK; ++j) dx[0].v[j] = NOTHING;
        }
        differentiate<S, false>(c, in, dx[0], sums);
        if (args.dx) store_part<T>(args.dx, start, args.n, t, dx[0]);
    }
    return sums;
}

template <class S, class T>
FN void backward(const Grid& grid, const BackwardArgs& args) {
    SHARED Sums sums;
    const Layer c = choose(args.device, args.value);
    const bool vectors = aligned(args.x, args.dy, args.dx);
    const uint64_t tiles = args.n / TILE + (args.n % TILE != 0);
    for (uint64_t tile = grid.block; tile < tiles; tile += grid.blocks) {
        const uint64_t first = tile * TILE;
        const bool whole = vectors && args.n - first >= TILE;
        EACH_THREAD(t) {
            const AlphaSums own = whole ? whole_tile<S, T>(args, c, first, t)
                                        : any_tile<S, T>(args, c, first, t);
            sums.first[0][t] = own.p;
            sums.first[1][t] = own.n;
        }
        if (args.partials) {
            add_up(sums, [&](unsigned t, double sum) { args.partials[2 * tile + t] = sum; });
        }
    }
}

template <class T>
FN void backward_relu2(const Grid& grid, const BackwardArgs& args) {
    elementwise(
        grid, args.n, aligned(args.x, args.dy, args.dx),
        [&](uint64_t start, unsigned t) {
            Chunk in[2];
            load_whole<T>({args.x, args.dy}, start, t, in);
            Chunk dx = load_sum<T>(args.dx, start, t, args.accumulate);
            UNROLL for (unsigned j = 0; j < CHUNK; ++j) {
                dx.v[j] = gradient(in[1].v[j], relu2_slope(in[0].v[j]), dx.v[j]);
            }
            store_whole<T>(args.dx, start, t, dx);
        },
        [&](uint64_t i) {
            const float sum = get_sum<T>(args.dx, i, args.accumulate);
            const float slope = relu2_slope(get<T>(args.x, i));
            put<T>(args.dx, i, gradient(get<T>(args.dy, i), slope, sum));
        });
}

template <class T>
FN void backward_swiglu(const Grid& grid, const SwigluBackwardArgs& args) {
    elementwise(
        grid, args.n, aligned(args.gate, args.up, args.dy, args.d_gate, args.d_up),
        [&](uint64_t start, unsigned t) {
            Chunk in[3];
            load_whole<T>({args.gate, args.up, args.dy}, start, t, in);
            Chunk d_gate = load_sum<T>(args.d_gate, start, t, args.accumulate);
            Chunk d_up = load_sum<T>(args.d_up, start, t, args.accumulate);
            UNROLL for (unsigned j = 0; j < CHUNK; ++j) {
                const float gate = in[0].v[j], up = in[1].v[j], dy = in[2].v[j];
                const Silu f = silu_and_slope(gate);
                d_gate.v[j] = gradient(mul(dy, up), f.slope, d_gate.v[j]);
                d_up.v[j] = gradient(dy, f.value, d_up.v[j]);
            }
            store_whole<T>(args.d_gate, start, t, d_gate);
            store_whole<T>(args.d_up, start, t, d_up);
        },
        [&](uint64_t i) {
            const float gate = get<T>(args.gate, i), up = get<T>(args.up, i);
            const float dy = get<T>(args.dy, i);
            const float gate_sum = get_sum<T>(args.d_gate, i, args.accumulate);
            const float up_sum = get_sum<T>(args.d_up, i, args.accumulate);
            const Silu f = silu_and_slope(gate);
            put<T>(args.d_gate, i, gradient(mul(dy, up), f.slope, gate_sum));
            put<T>(args.d_up, i, gradient(dy, f.value, up_sum));
        });
}

}  // namespace xielu_cuda
