// What the kernels of the decoder share: sums over a block, the types of a KV cache, and where a
// value that is no number is noted.
#pragma once

#include "math.cuh"
#include "q8_0.cuh"

namespace xielu_cuda {

#ifdef __CUDACC__
FN float root(float x) { return __fsqrt_rn(x); }
#else
FN float root(float x) { return __builtin_sqrtf(x); }
#endif

constexpr float INFINITE = __builtin_inff();

FN bool finite(float x) { return (bits_of(x) & 0x7f800000u) != 0x7f800000u; }

// e^x for x <= 0, and 0 below e^-87.
FN float exp_below(float x) {
    if (!(x >= -87.0f)) return 0.0f;
    const Exp e = exp_of(x);
    return mul(mul(e.mantissa, e.scale_a), e.scale_b);
}

constexpr unsigned PARTS = 16;
static_assert(PARTS * PARTS == THREADS, "a block is reduced in two equal steps");

// Where a block's threads bring together one value each, in an order that is always the same.
template <class T>
struct Gathered {
    T each[THREADS];
    T parts[PARTS];

    // The step between two barriers: `each` is written before, `parts` is read after it.
    template <class Join>
    FN void join(unsigned t, Join two) {
        if (t >= PARTS) return;
        T value = each[t * PARTS];
        for (unsigned i = 1; i < PARTS; ++i) value = two(value, each[t * PARTS + i]);
        parts[t] = value;
    }

    template <class Join>
    FN T all(Join two) const {
        T value = parts[0];
        for (unsigned i = 1; i < PARTS; ++i) value = two(value, parts[i]);
        return value;
    }
};

struct Sum {
    FN float operator()(float a, float b) const { return add(a, b); }
};
struct Largest {
    FN uint32_t operator()(uint32_t a, uint32_t b) const { return a > b ? a : b; }
};

// Notes `code` where nothing was noted before.
FN void note(uint32_t* noted, uint32_t code) {
    if (*noted == 0) *noted = code;
}

// How a cache stores the keys or values of a head. `row` is the first byte of a position's.
template <class T>
struct Floats {
    static constexpr unsigned BYTES = sizeof(typename T::Bits);
    static FN uint64_t row_bytes(unsigned head_dim) { return uint64_t(head_dim) * BYTES; }
    static FN float load(const unsigned char* row, unsigned i) { return get<T>(row, i); }
    // Stores element i of `head`; whether it is finite as stored.
    static FN bool store(unsigned char* row, const float* head, unsigned i) {
        const typename T::Bits bits = T::narrow(head[i]);
        reinterpret_cast<typename T::Bits*>(row)[i] = bits;
        return finite(T::widen(bits));
    }
};

// Blocks of 32 with the bytes of the CPU's quantizer.
struct Q8_0 {
    static FN uint64_t row_bytes(unsigned head_dim) {
        return uint64_t(head_dim / QK) * BLOCK_BYTES;
    }
    static FN float load(const unsigned char* row, unsigned i) {
        const unsigned char* block = row + i / QK * BLOCK_BYTES;
        const float d = F16::widen(*reinterpret_cast<const uint16_t*>(block));
        return mul(d, static_cast<float>(static_cast<int8_t>(block[2 + i % QK])));
    }
    static FN bool store(unsigned char* row, const float* head, unsigned i) {
        uint32_t largest = 0;
        for (unsigned j = 0; j < QK; ++j) {
            const uint32_t bits = bits_of(head[i / QK * QK + j]) & 0x7fffffffu;
            largest = bits > largest ? bits : largest;
        }
        const Scale scale = scale_of(largest);
        unsigned char* block = row + i / QK * BLOCK_BYTES;
        if (i % QK == 0) *reinterpret_cast<uint16_t*>(block) = scale.d;
        block[2 + i % QK] = static_cast<unsigned char>(
            scale.inverse != 0.0f ? quant(head[i], scale.inverse) : 0);
        return finite(F16::widen(scale.d));
    }
};

// One line for each type of cache.
#define CACHE_KERNELS(name, Args, body)        \
    KERNEL(name##_f32, Args, body<Floats<F32>>)   \
    KERNEL(name##_bf16, Args, body<Floats<BF16>>) \
    KERNEL(name##_f16, Args, body<Floats<F16>>)   \
    KERNEL(name##_q8_0, Args, body<Q8_0>)

// The widest head: a thread has one element.
constexpr unsigned WIDEST_HEAD = THREADS;

}  // namespace xielu_cuda
