// y[i] = f(x[i]) and y[i] = f(a[i], b[i]): a block takes step after step.
#pragma once

#include "element.cuh"
#include "math.cuh"

namespace xielu_cuda {

struct ForwardArgs {
    const void* x;
    void* y;
    uint64_t n;
    const Coefficients* device;
    Coefficients value;
};

struct SwigluArgs {
    const void* gate;
    const void* up;
    void* y;
    uint64_t n;
};

// What becomes of the elements of one thread.
struct Xielu {
    static FN void apply(const Layer& c, Chunk& x) {
        if (is_ideal<CHUNK>(c, x.v)) {
            UNROLL for (unsigned j = 0; j < CHUNK; ++j) x.v[j] = xielu_ideal(c, x.v[j]);
        } else {
            UNROLL for (unsigned j = 0; j < CHUNK; ++j) x.v[j] = xielu(c, x.v[j]);
        }
    }
};
struct Xiprelu {
    static FN void apply(const Layer& c, Chunk& x) {
        UNROLL for (unsigned j = 0; j < CHUNK; ++j) x.v[j] = xiprelu(c, x.v[j]);
    }
};
struct Relu2 {
    static FN void apply(const Layer&, Chunk& x) {
        UNROLL for (unsigned j = 0; j < CHUNK; ++j) x.v[j] = relu2(x.v[j]);
    }
};

template <class F, class T>
FN void forward(const Grid& grid, const ForwardArgs& args) {
    const Layer c = choose(args.device, args.value);
    const bool vectors = aligned(args.x, args.y);
    for (uint64_t start = grid.block * STEP; start < args.n; start += grid.blocks * STEP) {
        const bool whole = vectors && args.n - start >= STEP;
        EACH_THREAD(t) {
            Chunk x[1];
            load<T>({args.x}, start, args.n, whole, t, x);
            F::apply(c, x[0]);
            store<T>(args.y, start, args.n, whole, t, x[0]);
        }
    }
}

// silu(gate)*up of thread t's elements.
template <class T>
FN Chunk load_swiglu(const SwigluArgs& args, uint64_t start, bool whole, unsigned t) {
    Chunk in[2];
    load<T>({args.gate, args.up}, start, args.n, whole, t, in);
    auto& [gate, up] = in;
    UNROLL for (unsigned j = 0; j < CHUNK; ++j) up.v[j] = swiglu(gate.v[j], up.v[j]);
    return up;
}

template <class T>
FN void forward_swiglu(const Grid& grid, const SwigluArgs& args) {
    const bool vectors = aligned(args.gate, args.up, args.y);
    for (uint64_t start = grid.block * STEP; start < args.n; start += grid.blocks * STEP) {
        const bool whole = vectors && args.n - start >= STEP;
        EACH_THREAD(t) {
            store<T>(args.y, start, args.n, whole, t, load_swiglu<T>(args, start, whole, t));
        }
    }
}

}  // namespace xielu_cuda
