// The right-hand side of a product: rows of tokens, as int8 in groups of 32 for quantized weights
// (the bits of the CPU's quantized inputs) and as f32 for float weights.
#pragma once

#include "warp.cuh"

namespace xielu_cuda {

constexpr unsigned GROUP = 32;
// A row is padded with zeros to a multiple of this.
constexpr unsigned ROW = 256;

// Just below a half: adding it and truncating rounds halves away from zero.
constexpr float UNDER_HALF = 0.49999997f;

// Of 32 quants: their scale, and the sums of their halves.
struct alignas(8) InputGroup {
    float d;
    int16_t sums[2];
};

// Where inputs are. A row has `stride` values; either form may be missing (null). Of a group's
// quants, 8t + i is number 4t + i and 8t + 4 + i is number 16 + 4t + i (t and i below 4): the
// 8 bytes of a quarter are what one thread of a warp multiplies.
struct Inputs {
    uint8_t* quants;
    InputGroup* groups;
    float* values;
    uint64_t stride;
};

// Where quant `k` of a group lies in it.
FN unsigned place_of(unsigned k) { return (k & 12) * 2 + (k >> 4) * 4 + (k & 3); }

struct GroupScale {
    float d;
    // Takes values to quants; 0 where it would overflow, and where the group is not finite.
    float inverse;
};

// From the bits of the largest magnitude, which order like the floats, NaN above infinity.
FN GroupScale group_scale(uint32_t amax) {
    if (amax >= 0x7f800000u) return GroupScale{float_of(0x7fc00000u), 0.0f};
    const float d = div(float_of(amax), 127.0f);
    const float inverse = div(1.0f, d);
    if (bits_of(inverse) >= 0x7f800000u) return GroupScale{0.0f, 0.0f};
    return GroupScale{d, inverse};
}

FN int32_t quant_of(float v, float inverse) {
    // A NaN must not reach the conversion: its group's inverse is 0.
    if (inverse == 0.0f) return 0;
    const float t = mul(v, inverse);
    const float half = float_of(bits_of(UNDER_HALF) | (bits_of(t) & 0x80000000u));
    return static_cast<int32_t>(add(t, half));
}

// Collective: the values of a warp, one a thread, become group `group[t]` of all rows' groups
// (the same for the warp), if there is one (`exists[t]`).
FN void store_group(PerThread<float>& v, PerThread<uint64_t>& group, PerThread<bool>& exists,
                    const Inputs& to) {
    if (to.values) {
        EACH_THREAD(t) {
            if (exists[t]) to.values[group[t] * GROUP + t % WARP] = v[t];
        }
    }
    if (!to.quants) return;
    PerThread<uint32_t> amax;
    EACH_THREAD(t) { amax[t] = bits_of(v[t]) & 0x7fffffffu; }
    warp_max(amax);
    PerThread<float> d;
    PerThread<int32_t> sum;
    EACH_THREAD(t) {
        const GroupScale scale = group_scale(amax[t]);
        d[t] = scale.d;
        sum[t] = quant_of(v[t], scale.inverse);
        if (exists[t]) {
            to.quants[group[t] * GROUP + place_of(t % WARP)] = static_cast<uint8_t>(sum[t]);
        }
    }
    lanes_sum<4>(sum);
    PerThread<int32_t> other = shuffle_xor(sum, 16);
    EACH_THREAD(t) {
        if (exists[t] && t % WARP == 0) {
            to.groups[group[t]] =
                InputGroup{d[t], {static_cast<int16_t>(sum[t]), static_cast<int16_t>(other[t])}};
        }
    }
}

}  // namespace xielu_cuda
