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

// The elements of thread t in the step that starts at `start`, so that the packs of a block lie
// side by side, from OPERANDS buffers. `whole`: all of the step exists and is aligned. What does
// not exist is 0.
template <class T, unsigned OPERANDS>
FN void load(const void* const (&from)[OPERANDS], uint64_t start, uint64_t n, bool whole, unsigned t,
             Chunk (&out)[OPERANDS]) {
    using Bits = typename T::Bits;
    constexpr unsigned PACKS = CHUNK / LANES<T>;
    const uint64_t first = start + t * LANES<T>;
    if (whole) {
        // All accesses before the first use, so that their latencies overlap.
        Pack packs[OPERANDS][PACKS];
        UNROLL for (unsigned k = 0; k < OPERANDS; ++k) {
            const Bits* p = static_cast<const Bits*>(from[k]) + first;
            UNROLL for (unsigned pack = 0; pack < PACKS; ++pack) {
                packs[k][pack] = *reinterpret_cast<const Pack*>(p + pack * THREADS * LANES<T>);
            }
        }
        UNROLL for (unsigned k = 0; k < OPERANDS; ++k) {
            UNROLL for (unsigned j = 0; j < CHUNK; ++j) {
                constexpr unsigned PER_WORD = LANES<T> / 4;
                const uint32_t* words = packs[k][j / LANES<T>].words;
                const uint32_t word = words[j % LANES<T> / PER_WORD];
                out[k].v[j] = T::widen(static_cast<Bits>(word >> (j % PER_WORD * 16)));
            }
        }
        return;
    }
    UNROLL for (unsigned j = 0; j < CHUNK; ++j) {
        const uint64_t i = first + j / LANES<T> * THREADS * LANES<T> + j % LANES<T>;
        UNROLL for (unsigned k = 0; k < OPERANDS; ++k) {
            out[k].v[j] = i < n ? T::widen(static_cast<const Bits*>(from[k])[i]) : 0.0f;
        }
    }
}

// The reverse of load.
template <class T>
FN void store(void* to, uint64_t start, uint64_t n, bool whole, unsigned t, const Chunk& in) {
    using Bits = typename T::Bits;
    Bits* p = static_cast<Bits*>(to);
    UNROLL for (unsigned pack = 0; pack < CHUNK / LANES<T>; ++pack) {
        const uint64_t i = start + (pack * THREADS + t) * LANES<T>;
        const float* v = in.v + pack * LANES<T>;
        if (whole) {
            Pack packed = {};
            UNROLL for (unsigned j = 0; j < LANES<T>; ++j) {
                constexpr unsigned per_word = LANES<T> / 4;
                packed.words[j / per_word] |= static_cast<uint32_t>(T::narrow(v[j]))
                                              << (j % per_word * 16);
            }
            *reinterpret_cast<Pack*>(p + i) = packed;
        } else {
            UNROLL for (unsigned j = 0; j < LANES<T>; ++j) {
                if (i + j < n) p[i + j] = T::narrow(v[j]);
            }
        }
    }
}

}  // namespace xielu_cuda
