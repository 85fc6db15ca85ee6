// Activation and quantization in one pass: y is a row of Q8_0 blocks (an f16 scale, 32 int8), the
// same bytes as the CPU's quantizer makes of the activated f32 values.
#pragma once

#include "forward.cuh"

namespace xielu_cuda {

constexpr unsigned QK = 32;
constexpr unsigned BLOCK_BYTES = 2 + QK;
constexpr unsigned STEP_BYTES = STEP / QK * BLOCK_BYTES;
static_assert(STEP_BYTES % sizeof(Pack) == 0, "a step's blocks are whole packs");

// Just below a half: adding it and truncating rounds halves away from zero.
constexpr float BELOW_HALF = 0.49999997f;

struct Scale {
    F16::Bits d;
    // Takes values to quants; 0 where it would overflow, and where the group is not finite, whose
    // scale is NaN.
    float inverse;
};

// A step's blocks.
struct alignas(16) Staged {
    uint16_t halves[STEP_BYTES / 2];
};

// From the bits of the largest magnitude, which order like the floats, NaN above infinity.
FN Scale scale_of(uint32_t amax) {
    if (amax >= 0x7f800000u) return Scale{0x7e00, 0.0f};
    const float d = div(float_of(amax), 127.0f);
    const float inverse = div(1.0f, d);
    if (bits_of(inverse) >= 0x7f800000u) return Scale{0, 0.0f};
    return Scale{F16::narrow(d), inverse};
}

FN uint32_t quant(float v, float inverse) {
    const float t = mul(v, inverse);
    const float half = float_of(bits_of(BELOW_HALF) | (bits_of(t) & 0x80000000u));
    return static_cast<uint32_t>(static_cast<int32_t>(add(t, half))) & 0xffu;
}

// One step's values, in groups of 32 that belong to neighbouring threads, to blocks.
template <class T>
struct Quantizer {
    static constexpr unsigned PACKS = CHUNK / LANES<T>;
    static constexpr unsigned PACKS_A_BLOCK = QK / LANES<T>;

    // Publishes the largest magnitude of each pack.
    static FN void publish(const Chunk& chunk, unsigned t, uint32_t* amax) {
        UNROLL for (unsigned pack = 0; pack < PACKS; ++pack) {
            uint32_t largest = 0;
            UNROLL for (unsigned j = 0; j < LANES<T>; ++j) {
                const uint32_t bits = bits_of(chunk.v[pack * LANES<T> + j]) & 0x7fffffffu;
                largest = bits > largest ? bits : largest;
            }
            amax[pack * THREADS + t] = largest;
        }
    }

    // Quantizes each pack with the scale of its block, into `staged`.
    static FN void quantize(const Chunk& chunk, unsigned t, const uint32_t* amax,
                            Staged& staged) {
        UNROLL for (unsigned pack = 0; pack < PACKS; ++pack) {
            const unsigned index = pack * THREADS + t;
            const unsigned block = index / PACKS_A_BLOCK;
            uint32_t largest = 0;
            UNROLL for (unsigned k = 0; k < PACKS_A_BLOCK; ++k) {
                const uint32_t other = amax[block * PACKS_A_BLOCK + k];
                largest = other > largest ? other : largest;
            }
            const Scale scale = scale_of(largest);
            uint16_t* out = staged.halves + block * (BLOCK_BYTES / 2);
            const unsigned within = index % PACKS_A_BLOCK;
            if (within == 0) out[0] = scale.d;
            UNROLL for (unsigned j = 0; j < LANES<T>; j += 2) {
                const float* v = chunk.v + pack * LANES<T> + j;
                // A NaN must not reach the conversion: its group's scale is 0.
                const bool finite = scale.inverse != 0.0f;
                const uint32_t low = finite ? quant(v[0], scale.inverse) : 0;
                const uint32_t high = finite ? quant(v[1], scale.inverse) : 0;
                out[1 + (within * LANES<T> + j) / 2] = static_cast<uint16_t>(low | high << 8);
            }
        }
    }
};

// Copies `bytes` of a step's blocks.
FN void write_blocks(const Staged& staged, unsigned char* to, uint64_t bytes, bool whole,
                     unsigned t) {
    if (whole) {
        if (t < STEP_BYTES / sizeof(Pack)) {
            reinterpret_cast<Pack*>(to)[t] = reinterpret_cast<const Pack*>(staged.halves)[t];
        }
        return;
    }
    const unsigned char* from = reinterpret_cast<const unsigned char*>(staged.halves);
    for (uint64_t i = t; i < bytes; i += THREADS) to[i] = from[i];
}

template <class T, class Values>
FN void forward_q8_0(const Grid& grid, void* y, uint64_t n, bool vectors, Values values) {
    SHARED uint32_t amax[Quantizer<T>::PACKS * THREADS];
    SHARED Staged staged;
    const bool blocks_aligned = aligned(y);
    for (uint64_t start = grid.block * STEP; start < n; start += grid.blocks * STEP) {
        const uint64_t count = n - start < STEP ? n - start : STEP;
        PerThread<Chunk> chunk;
        EACH_THREAD(t) {
            chunk[t] = values(start, vectors && count == STEP, t);
            Quantizer<T>::publish(chunk[t], t, amax);
        }
        BARRIER();
        EACH_THREAD(t) { Quantizer<T>::quantize(chunk[t], t, amax, staged); }
        BARRIER();
        unsigned char* to = static_cast<unsigned char*>(y) + start / QK * BLOCK_BYTES;
        EACH_THREAD(t) {
            write_blocks(staged, to, count / QK * BLOCK_BYTES, blocks_aligned && count == STEP, t);
        }
        // `amax` is rewritten before the next barrier, `staged` after it: neither is still read.
    }
}

// Thread t's elements of each operand.
template <class T, unsigned OPERANDS>
FN void load(const void* const (&from)[OPERANDS], uint64_t start, uint64_t n, bool whole, unsigned t,
             Chunk (&out)[OPERANDS]) {
    if (whole) {
        load_whole<T>(from, start, t, out);
    } else {
        load_part<T>(from, start, n, t, out);
    }
}

template <class F, class T>
FN void unary_q8_0(const Grid& grid, const ForwardArgs& args) {
    const Layer c = choose(args.device, args.value);
    const auto values = [&](uint64_t start, bool whole, unsigned t) {
        Chunk x[1];
        load<T>({args.x}, start, args.n, whole, t, x);
        F::apply(c, x[0]);
        return x[0];
    };
    forward_q8_0<T>(grid, args.y, args.n, aligned(args.x), values);
}

template <class T>
FN void swiglu_q8_0(const Grid& grid, const SwigluArgs& args) {
    const auto values = [&](uint64_t start, bool whole, unsigned t) {
        Chunk in[2];
        load<T>({args.gate, args.up}, start, args.n, whole, t, in);
        UNROLL for (unsigned j = 0; j < CHUNK; ++j) in[1].v[j] = swiglu(in[0].v[j], in[1].v[j]);
        return in[1];
    };
    forward_q8_0<T>(grid, args.y, args.n, aligned(args.gate, args.up), values);
}

}  // namespace xielu_cuda
