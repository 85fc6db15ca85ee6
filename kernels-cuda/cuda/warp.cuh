// What the 32 threads of a warp do together: collectives on a PerThread, called outside of
// EACH_THREAD by every thread of the block. On the device each thread takes its own part; on the
// host they are loops over the threads, so a twin has the same bits.
#pragma once

#include "portable.cuh"

namespace xielu_cuda {

constexpr unsigned WARP = 32;
constexpr unsigned WARPS = THREADS / WARP;

#ifdef __CUDACC__

// What the thread whose number differs in the bits of `mask` has.
FN PerThread<float> shuffle_xor(const PerThread<float>& v, unsigned mask) {
    return {__shfl_xor_sync(~0u, v.own, mask)};
}
FN PerThread<int32_t> shuffle_xor(const PerThread<int32_t>& v, unsigned mask) {
    return {__shfl_xor_sync(~0u, v.own, mask)};
}
FN PerThread<uint32_t> shuffle_xor(const PerThread<uint32_t>& v, unsigned mask) {
    return {__shfl_xor_sync(~0u, v.own, mask)};
}
// Loads before it stay before what follows: a batch of them is in flight at once.
#define WARP_SYNC() __syncwarp()

// The sum of four products of signed bytes, and c.
FN int32_t dot_4(uint32_t a, uint32_t b, int32_t c) {
    return __dp4a(static_cast<int32_t>(a), static_cast<int32_t>(b), c);
}

#else

template <class T>
FN PerThread<T> shuffle_xor(const PerThread<T>& v, unsigned mask) {
    PerThread<T> other;
    for (unsigned t = 0; t < THREADS; ++t) other.all[t] = v.all[t ^ mask];
    return other;
}
#define WARP_SYNC()

FN int32_t dot_4(uint32_t a, uint32_t b, int32_t c) {
    for (unsigned i = 0; i < 4; ++i) {
        c += static_cast<int8_t>(a >> (8 * i)) * static_cast<int8_t>(b >> (8 * i));
    }
    return c;
}

#endif

FN int32_t add(int32_t a, int32_t b) { return a + b; }
FN uint32_t max(uint32_t a, uint32_t b) { return a > b ? a : b; }

// Of all lanes whose numbers differ below bit `BITS`: halves, then halves of those. Addition
// commutes, so every lane has the same bits.
template <unsigned BITS, class T>
FN void lanes_sum(PerThread<T>& v) {
    UNROLL for (unsigned mask = 1u << (BITS - 1); mask > 0; mask >>= 1) {
        PerThread<T> other = shuffle_xor(v, mask);
        EACH_THREAD(t) { v[t] = add(v[t], other[t]); }
    }
}
template <class T>
FN void warp_sum(PerThread<T>& v) {
    lanes_sum<5>(v);
}

// The largest of a warp's values; of floats the largest that is not NaN.
template <class T>
FN void warp_max(PerThread<T>& v) {
    UNROLL for (unsigned mask = WARP / 2; mask > 0; mask >>= 1) {
        PerThread<T> other = shuffle_xor(v, mask);
        EACH_THREAD(t) { v[t] = max(v[t], other[t]); }
    }
}

}  // namespace xielu_cuda
