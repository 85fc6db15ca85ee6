// The index of the largest of n values, the first of equals: a greedy choice that leaves one number
// to copy. One block does it.
#include "decoder.cuh"

namespace xielu_cuda {

struct ArgmaxArgs {
    const float* x;
    // The index; then 1 + the index of the first value that is not finite, 0 if all are.
    uint32_t* out;
    uint32_t n;
};

struct Best {
    float value;
    uint32_t index;
    uint32_t bad;
};

FN Best better(const Best& a, const Best& b) {
    const bool first = a.value > b.value || (a.value == b.value && a.index < b.index);
    const uint32_t bad = a.bad < b.bad ? a.bad : b.bad;
    return Best{first ? a.value : b.value, first ? a.index : b.index, bad};
}

struct Better {
    FN Best operator()(const Best& a, const Best& b) const { return better(a, b); }
};

FN void first_largest(const Grid& grid, const ArgmaxArgs& args) {
    SHARED Gathered<Best> best;
    if (grid.block != 0) return;
    EACH_THREAD(t) {
        Best own{-INFINITE, args.n, args.n};
        for (unsigned i = t; i < args.n; i += THREADS) {
            const float x = args.x[i];
            if (!finite(x) && i < own.bad) own.bad = i;
            if (x > own.value) {
                own.value = x;
                own.index = i;
            }
        }
        best.each[t] = own;
    }
    BARRIER();
    EACH_THREAD(t) { best.join(t, Better()); }
    BARRIER();
    EACH_THREAD(t) {
        if (t == 0) {
            const Best found = best.all(Better());
            args.out[0] = found.index;
            args.out[1] = found.bad < args.n ? found.bad + 1 : 0;
        }
    }
}

KERNEL(argmax, ArgmaxArgs, first_largest)

}  // namespace xielu_cuda
