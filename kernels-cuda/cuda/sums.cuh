// Sums in a fixed order: a block's 256 pairs of doubles to one pair.
#pragma once

#include "portable.cuh"

namespace xielu_cuda {

constexpr unsigned RADIX = 16;
static_assert(RADIX * RADIX == THREADS, "two rounds add up a block");

// One value of each sum for every thread, then one for every RADIX-th.
struct Sums {
    double first[2][THREADS];
    double second[2][RADIX];
};

// COUNT values, `stride` apart, by halves.
template <unsigned COUNT, class V>
FN V pairwise(const V* values, unsigned stride) {
    if constexpr (COUNT == 1) {
        return values[0];
    } else {
        const V low = pairwise<COUNT / 2>(values, stride);
        return add(low, pairwise<COUNT / 2>(values + COUNT / 2 * stride, stride));
    }
}

// Adds up `sums.first`, which every thread has written, and gives sum t to `done` in thread t < 2.
// `sums.first` may be written again at once; `sums.second` is read until the next barrier.
template <class Done>
FN void add_up(Sums& sums, Done done) {
    BARRIER();
    EACH_THREAD(t) {
        if (t < 2 * RADIX) {
            sums.second[t / RADIX][t % RADIX] =
                pairwise<RADIX>(sums.first[t / RADIX] + t % RADIX, RADIX);
        }
    }
    BARRIER();
    EACH_THREAD(t) {
        if (t < 2) done(t, pairwise<RADIX>(sums.second[t], 1));
    }
}

}  // namespace xielu_cuda
