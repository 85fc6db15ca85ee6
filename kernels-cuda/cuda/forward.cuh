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

struct Xielu {
    static FN float apply(const Coefficients& c, float x) { return xielu(c, x); }
};
struct Xiprelu {
    static FN float apply(const Coefficients& c, float x) { return xiprelu(c, x); }
};
struct Relu2 {
    static FN float apply(const Coefficients&, float x) { return relu2(x); }
};

template <class F, class T>
FN void forward(const Grid& grid, const ForwardArgs& args) {
    const Coefficients c = choose(args.device, args.value);
    const bool vectors = aligned(args.x, args.y);
    for (uint64_t start = grid.block * STEP; start < args.n; start += grid.blocks * STEP) {
        const bool whole = vectors && args.n - start >= STEP;
        EACH_THREAD(t) {
            Chunk chunk;
            load<T>(args.x, start, args.n, whole, t, chunk);
            UNROLL for (unsigned j = 0; j < CHUNK; ++j) chunk.v[j] = F::apply(c, chunk.v[j]);
            store<T>(args.y, start, args.n, whole, t, chunk);
        }
    }
}

template <class T>
FN void forward_swiglu(const Grid& grid, const SwigluArgs& args) {
    const bool vectors = aligned(args.gate, args.up, args.y);
    for (uint64_t start = grid.block * STEP; start < args.n; start += grid.blocks * STEP) {
        const bool whole = vectors && args.n - start >= STEP;
        EACH_THREAD(t) {
            Chunk gate, up;
            load<T>(args.gate, start, args.n, whole, t, gate);
            load<T>(args.up, start, args.n, whole, t, up);
            UNROLL for (unsigned j = 0; j < CHUNK; ++j) up.v[j] = swiglu(gate.v[j], up.v[j]);
            store<T>(args.y, start, args.n, whole, t, up);
        }
    }
}

}  // namespace xielu_cuda
