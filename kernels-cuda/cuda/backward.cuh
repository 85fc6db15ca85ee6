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

// Gives `use` the slopes at each of a thread's elements.
struct XieluSlopes {
    template <class Use>
    static FN void each(const Layer& c, const Chunk& x, Use use) {
        if (is_ideal<CHUNK>(c, x.v)) {
            UNROLL for (unsigned j = 0; j < CHUNK; ++j) use(j, xielu_slopes_ideal(c, x.v[j]));
        } else {
            UNROLL for (unsigned j = 0; j < CHUNK; ++j) use(j, xielu_slopes(c, x.v[j]));
        }
    }
};
struct XipreluSlopes {
    template <class Use>
    static FN void each(const Layer& c, const Chunk& x, Use use) {
        UNROLL for (unsigned j = 0; j < CHUNK; ++j) use(j, xiprelu_slopes(c, x.v[j]));
    }
};

// What is added to: what is there, or nothing.
template <class T>
FN Chunk load_sum(const void* from, uint64_t start, uint64_t n, bool whole, unsigned t,
                  bool accumulate) {
    Chunk sum[1];
    if (accumulate) {
        load<T>({from}, start, n, whole, t, sum);
    } else {
        UNROLL for (unsigned j = 0; j < CHUNK; ++j) sum[0].v[j] = -0.0f;
    }
    return sum[0];
}

// Thread t's elements of one step; its sums of dy*f'(alpha) go to `p` and `n`.
template <class S, class T>
FN void backward_step(const BackwardArgs& args, const Layer& c, uint64_t start, bool whole,
                      unsigned t, double& p, double& n) {
    Chunk in[2];
    load<T>({args.x, args.dy}, start, args.n, whole, t, in);
    const Chunk& x = in[0];
    const Chunk& dy = in[1];
    Chunk dx = load_sum<T>(args.dx, start, args.n, whole, t, args.accumulate);
    Chunk by_p, by_n;
    S::each(c, x, [&](unsigned j, const Slopes& slopes) {
        dx.v[j] = canonical(fma(dy.v[j], slopes.dx, dx.v[j]));
        by_p.v[j] = mul(dy.v[j], slopes.alpha_p);
        by_n.v[j] = mul(dy.v[j], slopes.alpha_n);
    });
    if (args.dx) store<T>(args.dx, start, args.n, whole, t, dx);
    p = add(p, static_cast<double>(pairwise<CHUNK>(by_p.v, 1)));
    n = add(n, static_cast<double>(pairwise<CHUNK>(by_n.v, 1)));
}

template <class S, class T>
FN void backward(const Grid& grid, const BackwardArgs& args) {
    SHARED Sums sums;
    const Layer c = choose(args.device, args.value);
    const bool vectors = aligned(args.x, args.dy, args.dx);
    const uint64_t tiles = args.n / TILE + (args.n % TILE != 0);
    for (uint64_t tile = grid.block; tile < tiles; tile += grid.blocks) {
        EACH_THREAD(t) {
            double p = 0.0, n = 0.0;
            for (unsigned step = 0; step < TILE_STEPS; ++step) {
                const uint64_t start = tile * TILE + step * STEP;
                if (start >= args.n) break;
                const bool whole = vectors && args.n - start >= STEP;
                backward_step<S, T>(args, c, start, whole, t, p, n);
            }
            sums.first[0][t] = p;
            sums.first[1][t] = n;
        }
        if (args.partials) {
            add_up(sums, [&](unsigned t, double sum) { args.partials[2 * tile + t] = sum; });
        }
    }
}

template <class T>
FN void backward_relu2(const Grid& grid, const BackwardArgs& args) {
    const bool vectors = aligned(args.x, args.dy, args.dx);
    for (uint64_t start = grid.block * STEP; start < args.n; start += grid.blocks * STEP) {
        const bool whole = vectors && args.n - start >= STEP;
        EACH_THREAD(t) {
            Chunk in[2];
            load<T>({args.x, args.dy}, start, args.n, whole, t, in);
            const auto& [x, dy] = in;
            Chunk dx = load_sum<T>(args.dx, start, args.n, whole, t, args.accumulate);
            UNROLL for (unsigned j = 0; j < CHUNK; ++j) {
                dx.v[j] = canonical(fma(dy.v[j], relu2_slope(x.v[j]), dx.v[j]));
            }
            store<T>(args.dx, start, args.n, whole, t, dx);
        }
    }
}

template <class T>
FN void backward_swiglu(const Grid& grid, const SwigluBackwardArgs& args) {
    const bool vectors = aligned(args.gate, args.up, args.dy, args.d_gate, args.d_up);
    for (uint64_t start = grid.block * STEP; start < args.n; start += grid.blocks * STEP) {
        const bool whole = vectors && args.n - start >= STEP;
        EACH_THREAD(t) {
            Chunk in[3];
            load<T>({args.gate, args.up, args.dy}, start, args.n, whole, t, in);
            const auto& [gate, up, dy] = in;
            Chunk d_gate = load_sum<T>(args.d_gate, start, args.n, whole, t, args.accumulate);
            Chunk d_up = load_sum<T>(args.d_up, start, args.n, whole, t, args.accumulate);
            UNROLL for (unsigned j = 0; j < CHUNK; ++j) {
                const float by_gate = mul(dy.v[j], up.v[j]);
                d_gate.v[j] = canonical(fma(by_gate, silu_slope(gate.v[j]), d_gate.v[j]));
                d_up.v[j] = canonical(fma(dy.v[j], silu(gate.v[j]), d_up.v[j]));
            }
            store<T>(args.d_gate, start, args.n, whole, t, d_gate);
            store<T>(args.d_up, start, args.n, whole, t, d_up);
        }
    }
}

}  // namespace xielu_cuda
