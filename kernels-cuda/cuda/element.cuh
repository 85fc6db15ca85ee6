// Storage types: widened to f32 when read, rounded once (to nearest, ties to even) when written.
#pragma once

#include "portable.cuh"

namespace xielu_cuda {

// Elements a thread takes at a time.
constexpr unsigned CHUNK = 8;
// Elements a block takes at a time.
constexpr uint64_t STEP = CHUNK * THREADS;

struct F32 {
    using Bits = uint32_t;
    static FN float widen(Bits bits) { return float_of(bits); }
    static FN Bits narrow(float x) { return bits_of(x); }
};

struct BF16 {
    using Bits = uint16_t;
    static FN float widen(Bits bits) { return float_of(static_cast<uint32_t>(bits) << 16); }
    // The carry of the one NaN there is stays below what is kept.
    static FN Bits narrow(float x) {
        const uint32_t bits = bits_of(x);
        return static_cast<Bits>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
    }
};

struct F16 {
    using Bits = uint16_t;
#ifdef __CUDACC__
    static FN float widen(Bits bits) {
        float x;
        asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(bits));
        return x;
    }
    static FN Bits narrow(float x) {
        Bits bits;
        asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x));
        return is_nan(x) ? 0x7e00 : bits;
    }
#else
    // The exponent is rebiased by a multiplication, which also normalises subnormals.
    static FN float widen(Bits bits) {
        const float magnitude = float_of((bits & 0x7fffu) << 13) * 0x1p112f;
        const uint32_t infinity = magnitude >= 65536.0f ? 0x7f800000u : 0;
        return float_of(bits_of(magnitude) | infinity | (bits & 0x8000u) << 16);
    }
    static FN Bits narrow(float x) {
        const uint32_t sign = (bits_of(x) >> 16) & 0x8000u;
        const uint32_t magnitude = bits_of(x) & 0x7fffffffu;
        if (magnitude > 0x7f800000u) return 0x7e00;
        if (magnitude >= 0x477ff000u) return static_cast<Bits>(sign | 0x7c00u);
        if (magnitude < 0x38800000u) {
            // An ulp of 0.5 is that of a subnormal half: the addition rounds.
            return static_cast<Bits>(sign | (bits_of(float_of(magnitude) + 0.5f) - 0x3f000000u));
        }
        const uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
        return static_cast<Bits>(sign | ((rounded - 0x38000000u) >> 13));
    }
#endif
};

// What one access moves.
struct alignas(16) Pack {
    uint32_t words[4];
};

// Elements in a Pack.
template <class T>
constexpr unsigned LANES = sizeof(Pack) / sizeof(typename T::Bits);

struct Chunk {
    float v[CHUNK];
};

// Whether every pointer (null or not) is on a 16-byte boundary.
template <class... Pointers>
FN bool aligned(Pointers... pointers) {
    return ((reinterpret_cast<uintptr_t>(pointers) | ... | 0) & 15) == 0;
}

// One element.
template <class T>
FN float get(const void* from, uint64_t i) {
    return T::widen(static_cast<const typename T::Bits*>(from)[i]);
}
template <class T>
FN void put(void* to, uint64_t i, float x) {
    static_cast<typename T::Bits*>(to)[i] = T::narrow(x);
}

// Element j of thread t in the step that starts at `start`: the packs of a block lie side by side.
template <class T>
FN uint64_t index_of(uint64_t start, unsigned t, unsigned j) {
    return start + (j / LANES<T> * THREADS + t) * LANES<T> + j % LANES<T>;
}

// Thread t's elements of a step that exists completely, from OPERANDS aligned buffers.
template <class T, unsigned OPERANDS>
FN void load_whole(const void* const (&from)[OPERANDS], uint64_t start, unsigned t,
                   Chunk (&out)[OPERANDS]) {
    using Bits = typename T::Bits;
    constexpr unsigned PER_WORD = LANES<T> / 4;
    // All accesses before the first use, so that their latencies overlap.
    Pack packs[OPERANDS][CHUNK / LANES<T>];
    UNROLL for (unsigned k = 0; k < OPERANDS; ++k) {
        const Bits* p = static_cast<const Bits*>(from[k]);
        UNROLL for (unsigned j = 0; j < CHUNK; j += LANES<T>) {
            packs[k][j / LANES<T>] = *reinterpret_cast<const Pack*>(p + index_of<T>(start, t, j));
        }
    }
    UNROLL for (unsigned k = 0; k < OPERANDS; ++k) {
        UNROLL for (unsigned j = 0; j < CHUNK; ++j) {
            const uint32_t word = packs[k][j / LANES<T>].words[j % LANES<T> / PER_WORD];
            out[k].v[j] = T::widen(static_cast<Bits>(word >> (j % PER_WORD * 16)));
        }
    }
}

// The same of any step and any buffers; what does not exist is 0.
template <class T, unsigned OPERANDS>
FN void load_part(const void* const (&from)[OPERANDS], uint64_t start, uint64_t n, unsigned t,
                  Chunk (&out)[OPERANDS]) {
    UNROLL for (unsigned j = 0; j < CHUNK; ++j) {
        const uint64_t i = index_of<T>(start, t, j);
        UNROLL for (unsigned k = 0; k < OPERANDS; ++k) {
            out[k].v[j] = i < n ? get<T>(from[k], i) : 0.0f;
        }
    }
}

// The reverse of load_whole.
template <class T>
FN void store_whole(void* to, uint64_t start, unsigned t, const Chunk& in) {
    using Bits = typename T::Bits;
    constexpr unsigned PER_WORD = LANES<T> / 4;
    Bits* p = static_cast<Bits*>(to);
    UNROLL for (unsigned first = 0; first < CHUNK; first += LANES<T>) {
        Pack packed = {};
        UNROLL for (unsigned j = 0; j < LANES<T>; ++j) {
            packed.words[j / PER_WORD] |= static_cast<uint32_t>(T::narrow(in.v[first + j]))
                                          << (j % PER_WORD * 16);
        }
        *reinterpret_cast<Pack*>(p + index_of<T>(start, t, first)) = packed;
    }
}

// The reverse of load_part.
template <class T>
FN void store_part(void* to, uint64_t start, uint64_t n, unsigned t, const Chunk& in) {
    UNROLL for (unsigned j = 0; j < CHUNK; ++j) {
        const uint64_t i = index_of<T>(start, t, j);
        if (i < n) put<T>(to, i, in.v[j]);
    }
}

// Calls `whole(start, t)` for the whole steps of n elements if the buffers are aligned, and
// `one(i)` for every element of the rest. That is the last blocks' work: the first ones may have
// had a step more.
template <class Whole, class One>
FN void elementwise(const Grid& grid, uint64_t n, bool aligned, Whole whole, One one) {
    const uint64_t steps = aligned ? n / STEP : 0;
    for (uint64_t step = grid.block; step < steps; step += grid.blocks) {
        EACH_THREAD(t) { whole(step * STEP, t); }
    }
    uint64_t start = steps * STEP + (grid.blocks - 1 - grid.block) * THREADS;
    for (; start < n; start += grid.blocks * THREADS) {
        EACH_THREAD(t) {
            if (start + t < n) one(start + t);
        }
    }
}

}  // namespace xielu_cuda
