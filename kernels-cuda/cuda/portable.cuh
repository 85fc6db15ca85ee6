// What a kernel is written with, once for nvcc and once for a host compiler.
//
// A kernel is the body of one block. Its threads run in phases: EACH_THREAD(t) { ... } is one
// phase, BARRIER() ends it, and what a thread keeps from one phase to the next is a PerThread.
// On the device a phase is the thread itself; on the host it is a loop over the threads, and a
// grid is a loop over the blocks. Every kernel takes one struct, so both sides are called alike.
#pragma once

#include <cstdint>
#include <cstring>

namespace xielu_cuda {

constexpr unsigned THREADS = 256;

// Which block of how many this is.
struct Grid {
    uint64_t block;
    uint64_t blocks;
};

#ifdef __CUDACC__

#define FN __device__ __forceinline__
#define SHARED __shared__
#define EACH_THREAD(t) for (unsigned t = threadIdx.x, once = 1; once; once = 0)
#define BARRIER() __syncthreads()
#define UNROLL _Pragma("unroll")

template <class T>
struct PerThread {
    T own;
    FN T& operator[](unsigned) { return own; }
};

#define KERNEL(name, Args, body)                                                     \
    extern "C" __global__ void __launch_bounds__(THREADS) name(const Args args) { \
        const Grid grid{blockIdx.x, gridDim.x};                                      \
        body(grid, args);                                                            \
    }

// A kernel of many registers: rather fewer blocks at once, but `at_once`, than spills.
#define WIDE_KERNEL(at_once, name, Args, body)                                             \
    extern "C" __global__ void __launch_bounds__(THREADS, at_once) name(const Args args) { \
        const Grid grid{blockIdx.x, gridDim.x};                                            \
        body(grid, args);                                                                  \
    }

FN float add(float a, float b) { return __fadd_rn(a, b); }
FN float sub(float a, float b) { return __fsub_rn(a, b); }
FN float mul(float a, float b) { return __fmul_rn(a, b); }
FN float div(float a, float b) { return __fdiv_rn(a, b); }
FN float fma(float a, float b, float c) { return __fmaf_rn(a, b, c); }
FN double add(double a, double b) { return __dadd_rn(a, b); }
FN double mul(double a, double b) { return __dmul_rn(a, b); }
// The operand that is not NaN; -0 is below +0.
FN float min(float a, float b) { return fminf(a, b); }
FN float max(float a, float b) { return fmaxf(a, b); }
FN uint32_t bits_of(float x) { return __float_as_uint(x); }
FN float float_of(uint32_t bits) { return __uint_as_float(bits); }

#else

#define FN inline __attribute__((always_inline))
#define SHARED static thread_local
#define EACH_THREAD(t) for (unsigned t = 0; t < THREADS; ++t)
#define BARRIER()
#define UNROLL

template <class T>
struct PerThread {
    T all[THREADS];
    T& operator[](unsigned t) { return all[t]; }
};

// Runs blocks first .. last of a grid. A name of its own: the C interfaces have others like it.
#define KERNEL(name, Args, body)                                                            \
    extern "C" void twin_##name(uint64_t first, uint64_t last, uint64_t blocks,             \
                                const Args* args) {                                         \
        for (uint64_t block = first; block < last; ++block) {                               \
            body(Grid{block, blocks}, *args);                                               \
        }                                                                                   \
    }

#define WIDE_KERNEL(at_once, name, Args, body) KERNEL(name, Args, body)

FN uint32_t bits_of(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    return bits;
}
FN float float_of(uint32_t bits) {
    float x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}
FN float add(float a, float b) { return a + b; }
FN float sub(float a, float b) { return a - b; }
FN float mul(float a, float b) { return a * b; }
FN float div(float a, float b) { return a / b; }
FN float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
FN double add(double a, double b) { return a + b; }
FN double mul(double a, double b) { return a * b; }
// As the device's: the operand that is not NaN; -0 is below +0.
FN float min(float a, float b) {
    const bool first = a < b || b != b || (a == b && bits_of(a) >> 31);
    return first ? a : b;
}
FN float max(float a, float b) {
    const bool first = a > b || b != b || (a == b && bits_of(b) >> 31);
    return first ? a : b;
}

#endif

FN float neg_abs(float x) { return float_of(bits_of(x) | 0x80000000u); }
FN bool is_nan(float x) { return x != x; }

}  // namespace xielu_cuda
