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

// A function of one value, and of a thread's elements.
template <class F>
struct Unary {
    static FN void apply(const Layer& c, Chunk& x) {
        UNROLL for (unsigned j = 0; j < CHUNK; ++j) x.v[j] = F::one(c, x.v[j]);
    }
};

struct Xielu {
    static FN float one(const Layer& c, float x) { return xielu(c, x); }
    static FN void apply(const Layer& c, Chunk& x) {
        if (is_ideal<CHUNK>(c, x.v)) {
            UNROLL for (unsigned j = 0; j < CHUNK; ++j) x.v[j] = xielu_ideal(c, x.v[j]);
        } else {
            UNROLL for (unsigned j = 0; j < CHUNK; ++j) x.v[j] = xielu(c, x.v[j]);
        }
    }
};
struct Xiprelu : Unary<Xiprelu> {
    static FN float one(const Layer& c, float x) { return xiprelu(c, x); }
};
struct Relu2 : Unary<Relu2> {
    static FN float one(const Layer&, float x) { return relu2(x); }
};

template <class F, class T>
FN void forward(const Grid& grid, const ForwardArgs& args) {
    const Layer c = choose(args.device, args.value);
    elementwise(
        grid, args.n, aligned(args.x, args.y),
        [&](uint64_t start, unsigned t) {
            Chunk x[1];
            load_whole<T>({args.x}, start, t, x);
            F::apply(c, x[0]);
            store_whole<T>(args.y, start, t, x[0]);
        },
        [&](uint64_t i) { put<T>(args.y, i, F::one(c, get<T>(args.x, i))); });
}

template <class T>
FN void forward_swiglu(const Grid& grid, const SwigluArgs& args) {
    elementwise(
        grid, args.n, aligned(args.gate, args.up, args.y),
        [&](uint64_t start, unsigned t) {
            Chunk in[2];
            load_whole<T>({args.gate, args.up}, start, t, in);
            Chunk& y = in[1];
            UNROLL for (unsigned j = 0; j < CHUNK; ++j) y.v[j] = swiglu(in[0].v[j], y.v[j]);
            store_whole<T>(args.y, start, t, y);
        },
        [&](uint64_t i) {
            put<T>(args.y, i, swiglu(get<T>(args.gate, i), get<T>(args.up, i)));
        });
}

}  // namespace xielu_cuda
