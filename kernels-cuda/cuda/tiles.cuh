// Quantized weights as products read them: tiles of 16 rows, cut into blocks of 32 columns. A warp
// takes a block at a time; lane 4g + t has what a tensor core's m16n8k32 wants of it: of rows g
// and g + 8 the columns 4t .. 4t + 3 and 16 + 4t .. 16 + 4t + 3. Quants are 16 bytes a lane on
// 16-byte boundaries, upper bits and scales apart from them; all are the same bytes as the stored
// blocks, up to rows that fill a tile and a block that fills a pair.
//
// The repacking reads stored blocks one quant at a time, by the definition of the format.
#pragma once

#include "element.cuh"
#include "inputs.cuh"

namespace xielu_cuda {

constexpr unsigned TILE_ROWS = 16;
// Blocks of a K-quant.
constexpr unsigned SUPER = 8;

// Where a matrix is; the sections are `[tiles][blocks]` of what a format says, and follow each
// other in one allocation.
struct Tiles {
    uint8_t* quants;
    uint8_t* high;
    uint8_t* scales;
    uint8_t* super_scales;
    uint64_t rows;
    // Of a row, with the one that fills a pair.
    uint64_t blocks;
};

// What takes integer sums to a product: scale * sum of products - min * sum of inputs, for rows
// g and g + 8, of a block or of its halves.
template <bool HALVES>
struct Factors {
    float scale[2][HALVES ? 2 : 1];
    float min[2][HALVES ? 2 : 1];
};

FN uint32_t byte_of(const uint8_t* p, unsigned i) { return p[i]; }
FN uint32_t half_at(const uint8_t* p) { return byte_of(p, 0) | byte_of(p, 1) << 8; }
FN uint32_t word_at(const uint8_t* p) { return half_at(p) | half_at(p + 2) << 16; }
FN float low_half(uint32_t word) { return F16::widen(static_cast<uint16_t>(word)); }
FN float high_half(uint32_t word) { return F16::widen(static_cast<uint16_t>(word >> 16)); }
FN float of_int(int32_t i) {
#ifdef __CUDACC__
    return __int2float_rn(i);
#else
    return static_cast<float>(i);
#endif
}

struct alignas(8) Pair {
    uint32_t words[2];
};

template <class T>
FN T load_at(const uint8_t* p) {
    return *reinterpret_cast<const T*>(p);
}
template <class T>
FN void store_at(uint8_t* p, const T& value) {
    *reinterpret_cast<T*>(p) = value;
}

constexpr uint32_t NIBBLES = 0x0f0f0f0fu;

// ---- Stored blocks: `quant` is the stored number of column k of a row.

struct StoredQ8_0 {
    static constexpr unsigned BYTES = 34, COLS = 32;
    static FN uint32_t quant(const uint8_t* row, uint64_t k) {
        return byte_of(row + k / 32 * BYTES, 2 + k % 32);
    }
};
// Q8_0 with a sum that values do not need.
struct StoredQ8_1 {
    static constexpr unsigned BYTES = 36, COLS = 32;
    static FN uint32_t quant(const uint8_t* row, uint64_t k) {
        return byte_of(row + k / 32 * BYTES, 4 + k % 32);
    }
};

// 4 bits in 16 bytes at HEAD, the fifth ones before them.
template <unsigned HEAD, bool FIFTH>
struct StoredSmall {
    static constexpr unsigned BYTES = HEAD + 16, COLS = 32;
    static FN uint32_t quant(const uint8_t* row, uint64_t k) {
        const uint8_t* p = row + k / 32 * BYTES;
        const unsigned j = k % 32;
        const uint32_t q = byte_of(p, HEAD + j % 16) >> (j / 16 * 4) & 15;
        return FIFTH ? q | (byte_of(p, HEAD - 4 + j / 8) >> (j % 8) & 1) << 4 : q;
    }
};
// 4 bits of group 2c and 2c + 1 in 32 bytes, the fifth ones (bit g for group g) before them.
template <bool FIFTH>
struct StoredK {
    static constexpr unsigned HEAD = FIFTH ? 48 : 16, BYTES = HEAD + 128, COLS = 256;
    static FN uint32_t quant(const uint8_t* row, uint64_t k) {
        const uint8_t* p = row + k / 256 * BYTES;
        const unsigned v = k % 256, g = v / 32, l = v % 32;
        const uint32_t q = byte_of(p, HEAD + g / 2 * 32 + l) >> (g % 2 * 4) & 15;
        return FIFTH ? q | (byte_of(p, 16 + l) >> g & 1) << 4 : q;
    }
};
struct StoredQ6_K {
    static constexpr unsigned BYTES = 210, COLS = 256;
    static FN uint32_t quant(const uint8_t* row, uint64_t k) {
        const uint8_t* p = row + k / 256 * BYTES;
        const unsigned v = k % 256, half = v / 128, i = v % 128 / 32, l = v % 32;
        const uint32_t low = byte_of(p, half * 64 + i % 2 * 32 + l) >> (i / 2 * 4) & 15;
        return low | (byte_of(p, 128 + half * 32 + l) >> (2 * i) & 3) << 4;
    }
};
// Any other format, unpacked: 256 signed bytes, 16 scales and 16 mins in f32.
struct StoredBytes {
    static constexpr unsigned BYTES = 384, COLS = 256;
    static FN uint32_t quant(const uint8_t* row, uint64_t k) {
        return byte_of(row + k / 256 * BYTES, k % 256);
    }
};

// ---- Quants in tiles.

// One block's quants of a lane: a[0] row g and a[1] row g + 8, columns 4t ..; a[2] and a[3]
// columns 16 + 4t ...
struct Fragment {
    uint32_t a[4];
};

// A quarter's four quants as they are stored; what does not exist is 0.
template <class Stored>
FN void quarter(const uint8_t* row, uint64_t k, uint64_t cols, uint32_t (&q)[4]) {
    UNROLL for (unsigned i = 0; i < 4; ++i) {
        q[i] = row && k + i < cols ? Stored::quant(row, k + i) : 0;
    }
}

// Two blocks of bytes: 2 x 16 bytes a lane.
struct Bytes {
    static constexpr unsigned BLOCK_BYTES = 512;
    template <class Stored>
    static FN void repack(const Tiles& to, uint64_t at, const uint8_t* const (&rows)[2],
                          uint64_t block, uint64_t cols, unsigned lane) {
        Pack out;
        UNROLL for (unsigned w = 0; w < 4; ++w) {
            uint32_t q[4];
            quarter<Stored>(rows[w % 2], block * 32 + w / 2 * 16 + lane % 4 * 4, cols, q);
            out.words[w] = q[0] | q[1] << 8 | q[2] << 16 | q[3] << 24;
        }
        store_at(to.quants + at * BLOCK_BYTES + lane * 16, out);
    }
};

// 4 bits of two blocks in 16 bytes a lane, and UPPER bits more in UPPER * 4 bytes.
template <unsigned UPPER>
struct Nibbles {
    static constexpr unsigned BLOCK_BYTES = 256;
    // Of two blocks and all lanes.
    static constexpr unsigned HIGH_BYTES = UPPER * 128;

    // `at` is that of the first of two blocks.
    template <class Stored>
    static FN void repack(const Tiles& to, uint64_t at, const uint8_t* const (&rows)[2],
                          uint64_t block, uint64_t cols, unsigned lane) {
        Pack out;
        uint32_t high[2] = {0, 0};
        UNROLL for (unsigned w = 0; w < 4; ++w) {
            uint32_t q[4], r[4];
            const uint64_t k = (block + w / 2) * 32 + lane % 4 * 4;
            quarter<Stored>(rows[w % 2], k, cols, q);
            quarter<Stored>(rows[w % 2], k + 16, cols, r);
            out.words[w] = 0;
            UNROLL for (unsigned i = 0; i < 4; ++i) {
                out.words[w] |= ((q[i] & 15) | (r[i] & 15) << 4) << (8 * i);
                if constexpr (UPPER == 1) {
                    high[0] |= (q[i] >> 4) << (8 * i + 2 * w) | (r[i] >> 4) << (8 * i + 2 * w + 1);
                }
                if constexpr (UPPER == 2) {
                    const unsigned bit = 8 * i + w % 2 * 4;
                    high[w / 2] |= (q[i] >> 4) << bit | (r[i] >> 4) << (bit + 2);
                }
            }
        }
        store_at(to.quants + at * BLOCK_BYTES + lane * 16, out);
        if constexpr (UPPER == 1) store_at(to.high + at / 2 * HIGH_BYTES + lane * 4, high[0]);
        if constexpr (UPPER == 2) {
            store_at(to.high + at / 2 * HIGH_BYTES + lane * 8, Pair{{high[0], high[1]}});
        }
    }

    struct High {
        uint32_t words[UPPER ? UPPER : 1];
    };
    static FN High load_high(const Tiles& w, uint64_t at, unsigned lane) {
        High high = {};
        if constexpr (UPPER == 1) {
            high.words[0] = load_at<uint32_t>(w.high + at / 2 * HIGH_BYTES + lane * 4);
        }
        if constexpr (UPPER == 2) {
            const Pair pair = load_at<Pair>(w.high + at / 2 * HIGH_BYTES + lane * 8);
            high.words[0] = pair.words[0];
            high.words[1] = pair.words[1];
        }
        return high;
    }
    // Block 0 or 1 of what is loaded.
    static FN Fragment fragment(const Pack& q, const High& high, unsigned block) {
        Fragment f;
        UNROLL for (unsigned row = 0; row < 2; ++row) {
            const uint32_t word = q.words[2 * block + row];
            UNROLL for (unsigned half = 0; half < 2; ++half) {
                uint32_t upper = 0;
                if constexpr (UPPER == 1) {
                    const unsigned bit = 2 * (2 * block + row) + half;
                    const uint32_t h = high.words[0];
                    upper = (bit < 4 ? h << (4 - bit) : h >> (bit - 4)) & 0x10101010u;
                }
                if constexpr (UPPER == 2) {
                    const unsigned bit = 4 * row + 2 * half;
                    const uint32_t h = high.words[block];
                    upper = (bit < 4 ? h << (4 - bit) : h >> (bit - 4)) & 0x30303030u;
                }
                f.a[2 * half + row] = (word >> (4 * half) & NIBBLES) | upper;
            }
        }
        return f;
    }
};

// ---- The formats: STEP blocks at a time.

// 8 bits and a scale: Q8_0.
struct Q8_0 {
    static constexpr unsigned STEP = 4, FILL = 1;
    static constexpr bool HALVES = false, MINS = false;
    static constexpr int32_t BIAS = 0;
    struct Raw {
        Pack q[STEP];
        uint32_t d[STEP];
    };
    template <class Stored>
    static FN void repack(const Tiles& to, uint64_t at, const uint8_t* const (&rows)[2],
                          uint64_t block, uint64_t cols, unsigned lane) {
        Bytes::repack<Stored>(to, at, rows, block, cols, lane);
        if (lane % 4 == 0) {
            uint32_t d = 0;
            UNROLL for (unsigned r = 0; r < 2; ++r) {
                if (rows[r]) d |= half_at(rows[r] + block * Stored::BYTES) << (16 * r);
            }
            store_at(to.scales + at * 32 + lane, d);
        }
    }
    static FN Raw load(const Tiles& w, uint64_t tile, uint64_t block, unsigned lane) {
        Raw raw;
        UNROLL for (unsigned i = 0; i < STEP; ++i) {
            const uint64_t b = block + i < w.blocks ? block + i : w.blocks - 1;
            const uint64_t at = tile * w.blocks + b;
            raw.q[i] = load_at<Pack>(w.quants + at * Bytes::BLOCK_BYTES + lane * 16);
            raw.d[i] = load_at<uint32_t>(w.scales + at * 32 + lane / 4 * 4);
        }
        return raw;
    }
    static FN Fragment fragment(const Raw& raw, unsigned i) {
        const uint32_t* w = raw.q[i].words;
        return Fragment{{w[0], w[1], w[2], w[3]}};
    }
    static FN Factors<false> factors(const Raw& raw, unsigned i) {
        return {{{low_half(raw.d[i])}, {high_half(raw.d[i])}}, {}};
    }
};

// 4 or 5 bits, a scale, and perhaps a min: Q4_0, Q4_1, Q5_0, Q5_1.
template <unsigned UPPER, bool MIN>
struct Small {
    static constexpr unsigned STEP = 8, FILL = 2;
    static constexpr bool HALVES = false, MINS = MIN;
    static constexpr int32_t BIAS = MIN ? 0 : UPPER ? 16 : 8;
    // Of a block.
    static constexpr unsigned SCALE_BYTES = MIN ? 64 : 32;
    using Quants = Nibbles<UPPER>;
    using Scale = Pair;
    struct Raw {
        Pack q[STEP / 2];
        typename Quants::High high[STEP / 2];
        Pair d[STEP];
    };
    template <class Stored>
    static FN void repack(const Tiles& to, uint64_t at, const uint8_t* const (&rows)[2],
                          uint64_t block, uint64_t cols, unsigned lane) {
        Quants::template repack<Stored>(to, at, rows, block, cols, lane);
        if (lane % 4 < 2) {
            // Lane 4g + i: the scales of block i of the two.
            const unsigned i = lane % 4;
            uint32_t d[2] = {0, 0};
            UNROLL for (unsigned r = 0; r < 2; ++r) {
                if (rows[r] && (block + i) * 32 < cols) {
                    const uint8_t* p = rows[r] + (block + i) * Stored::BYTES;
                    d[r] = half_at(p);
                    if constexpr (MIN) d[r] |= half_at(p + 2) << 16;
                }
            }
            uint8_t* to_scale = to.scales + (at + i) * SCALE_BYTES + lane / 4 * (SCALE_BYTES / 8);
            if constexpr (MIN) {
                store_at(to_scale, Pair{{d[0], d[1]}});
            } else {
                store_at(to_scale, d[0] | d[1] << 16);
            }
        }
    }
    static FN Raw load(const Tiles& w, uint64_t tile, uint64_t block, unsigned lane) {
        Raw raw;
        UNROLL for (unsigned i = 0; i < STEP / 2; ++i) {
            const uint64_t b = block + 2 * i < w.blocks ? block + 2 * i : w.blocks - 2;
            const uint64_t at = tile * w.blocks + b;
            raw.q[i] = load_at<Pack>(w.quants + at * Quants::BLOCK_BYTES + lane * 16);
            raw.high[i] = Quants::load_high(w, at, lane);
            UNROLL for (unsigned j = 0; j < 2; ++j) {
                const uint8_t* p = w.scales + (at + j) * SCALE_BYTES + lane / 4 * (SCALE_BYTES / 8);
                if constexpr (MIN) {
                    raw.d[2 * i + j] = load_at<Pair>(p);
                } else {
                    raw.d[2 * i + j].words[0] = load_at<uint32_t>(p);
                }
            }
        }
        return raw;
    }
    static FN Fragment fragment(const Raw& raw, unsigned i) {
        return Quants::fragment(raw.q[i / 2], raw.high[i / 2], i % 2);
    }
    static FN Factors<false> factors(const Raw& raw, unsigned i) {
        const uint32_t* d = raw.d[i].words;
        if constexpr (MIN) {
            // Stored is the value of quant 0, which is minus the min.
            return {{{low_half(d[0])}, {low_half(d[1])}}, {{-high_half(d[0])}, {-high_half(d[1])}}};
        }
        return {{{low_half(d[0])}, {high_half(d[0])}}, {}};
    }
};
using Q4_0 = Small<0, false>;
using Q4_1 = Small<0, true>;
using Q5_0 = Small<1, false>;
using Q5_1 = Small<1, true>;

// 4 or 5 bits with scales and mins of 6 bits for each 32: Q4_K, Q5_K. Of a row and 8 blocks there
// are 16 bytes: both scales of scales as stored, the lower four bits of the eight scales, those of
// the mins, and the upper two of all.
template <unsigned UPPER>
struct KQuant {
    static constexpr unsigned STEP = 8, FILL = 8;
    static constexpr bool HALVES = false, MINS = true;
    static constexpr int32_t BIAS = 0;
    static constexpr unsigned SCALE_BYTES = 256;
    using Quants = Nibbles<UPPER>;
    struct Raw {
        Pack q[STEP / 2];
        typename Quants::High high[STEP / 2];
        Pack head[2];
    };
    template <class Stored>
    static FN void repack(const Tiles& to, uint64_t at, const uint8_t* const (&rows)[2],
                          uint64_t block, uint64_t cols, unsigned lane) {
        Quants::template repack<Stored>(to, at, rows, block, cols, lane);
        const unsigned r = lane % 4;
        if (block % SUPER != 0 || r >= 2) return;
        Pack head = {};
        const uint8_t* row = r ? rows[1] : rows[0];
        if (row) {
            const uint8_t* p = row + block / SUPER * Stored::BYTES;
            head.words[0] = word_at(p);
            UNROLL for (unsigned g = 0; g < SUPER; ++g) {
                // The first four of each are the lower bits of a byte; of the others, four bits
                // are in the last four bytes and two above the first ones.
                const uint32_t low = byte_of(p, 4 + g % 4), min = byte_of(p, 8 + g % 4);
                const uint32_t last = byte_of(p, 12 + g % 4);
                const uint32_t s = g < 4 ? low & 63 : (last & 15) | (low >> 6) << 4;
                const uint32_t m = g < 4 ? min & 63 : last >> 4 | (min >> 6) << 4;
                head.words[1] |= (s & 15) << (4 * g);
                head.words[2] |= (m & 15) << (4 * g);
                head.words[3] |= (s >> 4) << (2 * g) | (m >> 4) << (2 * g + 16);
            }
        }
        store_at(to.scales + at / SUPER * SCALE_BYTES + lane / 4 * 32 + r * 16, head);
    }
    static FN Raw load(const Tiles& w, uint64_t tile, uint64_t block, unsigned lane) {
        Raw raw;
        const uint64_t at = tile * w.blocks + block;
        UNROLL for (unsigned i = 0; i < STEP / 2; ++i) {
            raw.q[i] = load_at<Pack>(w.quants + (at + 2 * i) * Quants::BLOCK_BYTES + lane * 16);
            raw.high[i] = Quants::load_high(w, at + 2 * i, lane);
        }
        const uint8_t* p = w.scales + at / SUPER * SCALE_BYTES + lane / 4 * 32;
        raw.head[0] = load_at<Pack>(p);
        raw.head[1] = load_at<Pack>(p + 16);
        return raw;
    }
    static FN Fragment fragment(const Raw& raw, unsigned i) {
        return Quants::fragment(raw.q[i / 2], raw.high[i / 2], i % 2);
    }
    static FN Factors<false> factors(const Raw& raw, unsigned i) {
        Factors<false> f;
        UNROLL for (unsigned r = 0; r < 2; ++r) {
            const uint32_t* head = raw.head[r].words;
            const uint32_t s = (head[1] >> (4 * i) & 15) | (head[3] >> (2 * i) & 3) << 4;
            const uint32_t m = (head[2] >> (4 * i) & 15) | (head[3] >> (2 * i + 16) & 3) << 4;
            // Exact: 11 bits times 6.
            f.scale[r][0] = mul(low_half(head[0]), of_int(static_cast<int32_t>(s)));
            f.min[r][0] = mul(high_half(head[0]), of_int(static_cast<int32_t>(m)));
        }
        return f;
    }
};
using Q4_K = KQuant<0>;
using Q5_K = KQuant<1>;

// 6 bits with a scale of 8 bits for each 16: Q6_K. Of a row and 8 blocks there are 16 bytes of
// scales, and apart from them the scale of scales.
struct Q6_K {
    static constexpr unsigned STEP = 8, FILL = 8;
    static constexpr bool HALVES = true, MINS = false;
    static constexpr int32_t BIAS = 32;
    using Quants = Nibbles<2>;
    struct Raw {
        Pack q[STEP / 2];
        Quants::High high[STEP / 2];
        Pack scales[2];
        uint32_t d;
    };
    template <class Stored>
    static FN void repack(const Tiles& to, uint64_t at, const uint8_t* const (&rows)[2],
                          uint64_t block, uint64_t cols, unsigned lane) {
        Quants::repack<Stored>(to, at, rows, block, cols, lane);
        const unsigned r = lane % 4;
        if (block % SUPER != 0 || r == 3) return;
        const uint64_t from = block / SUPER * Stored::BYTES;
        if (r == 2) {
            uint32_t d = 0;
            UNROLL for (unsigned i = 0; i < 2; ++i) {
                if (rows[i]) d |= half_at(rows[i] + from + 208) << (16 * i);
            }
            store_at(to.super_scales + at / SUPER * 32 + lane / 4 * 4, d);
            return;
        }
        Pack scales = {};
        const uint8_t* row = r ? rows[1] : rows[0];
        if (row) {
            UNROLL for (unsigned i = 0; i < 4; ++i) {
                scales.words[i] = word_at(row + from + 192 + 4 * i);
            }
        }
        store_at(to.scales + at / SUPER * 256 + lane / 4 * 32 + r * 16, scales);
    }
    static FN Raw load(const Tiles& w, uint64_t tile, uint64_t block, unsigned lane) {
        Raw raw;
        const uint64_t at = tile * w.blocks + block;
        UNROLL for (unsigned i = 0; i < STEP / 2; ++i) {
            raw.q[i] = load_at<Pack>(w.quants + (at + 2 * i) * Quants::BLOCK_BYTES + lane * 16);
            raw.high[i] = Quants::load_high(w, at + 2 * i, lane);
        }
        const uint8_t* p = w.scales + at / SUPER * 256 + lane / 4 * 32;
        raw.scales[0] = load_at<Pack>(p);
        raw.scales[1] = load_at<Pack>(p + 16);
        raw.d = load_at<uint32_t>(w.super_scales + at / SUPER * 32 + lane / 4 * 4);
        return raw;
    }
    static FN Fragment fragment(const Raw& raw, unsigned i) {
        return Quants::fragment(raw.q[i / 2], raw.high[i / 2], i % 2);
    }
    static FN Factors<true> factors(const Raw& raw, unsigned i) {
        Factors<true> f = {};
        UNROLL for (unsigned r = 0; r < 2; ++r) {
            const float d = r ? high_half(raw.d) : low_half(raw.d);
            UNROLL for (unsigned half = 0; half < 2; ++half) {
                const unsigned n = 2 * i + half;
                const uint32_t word = raw.scales[r].words[n / 4];
                const auto scale = static_cast<int8_t>(word >> (n % 4 * 8));
                f.scale[r][half] = mul(d, of_int(scale));
            }
        }
        return f;
    }
};

// Every other quantized format, unpacked: a signed byte, and a scale and a min in f32 for each 16.
struct I8 {
    static constexpr unsigned STEP = 2, FILL = 1;
    static constexpr bool HALVES = true, MINS = true;
    static constexpr int32_t BIAS = 0;
    struct Raw {
        Pack q[STEP];
        Pack numbers[STEP][2];
    };
    template <class Stored>
    static FN void repack(const Tiles& to, uint64_t at, const uint8_t* const (&rows)[2],
                          uint64_t block, uint64_t cols, unsigned lane) {
        Bytes::repack<Stored>(to, at, rows, block, cols, lane);
        const unsigned r = lane % 4;
        if (r >= 2) return;
        Pack numbers = {};
        const uint8_t* row = r ? rows[1] : rows[0];
        if (row) {
            const uint8_t* p = row + block / SUPER * Stored::BYTES + 256 + block % SUPER * 8;
            UNROLL for (unsigned i = 0; i < 4; ++i) {
                numbers.words[i] = word_at(p + i / 2 * 64 + i % 2 * 4);
            }
        }
        store_at(to.scales + at * 256 + lane / 4 * 32 + r * 16, numbers);
    }
    static FN Raw load(const Tiles& w, uint64_t tile, uint64_t block, unsigned lane) {
        Raw raw;
        UNROLL for (unsigned i = 0; i < STEP; ++i) {
            const uint64_t b = block + i < w.blocks ? block + i : w.blocks - 1;
            const uint64_t at = tile * w.blocks + b;
            raw.q[i] = load_at<Pack>(w.quants + at * Bytes::BLOCK_BYTES + lane * 16);
            raw.numbers[i][0] = load_at<Pack>(w.scales + at * 256 + lane / 4 * 32);
            raw.numbers[i][1] = load_at<Pack>(w.scales + at * 256 + lane / 4 * 32 + 16);
        }
        return raw;
    }
    static FN Fragment fragment(const Raw& raw, unsigned i) {
        const uint32_t* w = raw.q[i].words;
        return Fragment{{w[0], w[1], w[2], w[3]}};
    }
    static FN Factors<true> factors(const Raw& raw, unsigned i) {
        Factors<true> f;
        UNROLL for (unsigned r = 0; r < 2; ++r) {
            const uint32_t* n = raw.numbers[i][r].words;
            f.scale[r][0] = float_of(n[0]), f.scale[r][1] = float_of(n[1]);
            f.min[r][0] = float_of(n[2]), f.min[r][1] = float_of(n[3]);
        }
        return f;
    }
};

// One block's share of a product: row `r` of the factors, sums of products of both halves, and of
// inputs. scale * (products - bias * inputs) - min * inputs, times the inputs' scale, added to sum.
template <class F>
FN float add_block(float sum, const Factors<F::HALVES>& f, unsigned r, const int32_t (&products)[2],
                   const int32_t (&inputs)[2], float d) {
    float v;
    if constexpr (F::HALVES) {
        v = mul(f.scale[r][0], of_int(products[0] - F::BIAS * inputs[0]));
        v = fma(f.scale[r][1], of_int(products[1] - F::BIAS * inputs[1]), v);
        if constexpr (F::MINS) {
            v = fma(f.min[r][0], of_int(-inputs[0]), v);
            v = fma(f.min[r][1], of_int(-inputs[1]), v);
        }
    } else {
        const int32_t all = inputs[0] + inputs[1];
        v = mul(f.scale[r][0], of_int(products[0] + products[1] - F::BIAS * all));
        if constexpr (F::MINS) v = fma(f.min[r][0], of_int(-all), v);
    }
    return fma(d, v, sum);
}

// ---- Repacking.

struct RepackArgs {
    // Whole rows of stored blocks, which become those from `first` on (a multiple of 16).
    const uint8_t* from;
    uint64_t row_bytes;
    uint64_t first;
    uint64_t count;
    uint64_t cols;
    Tiles to;
};

// A warp takes FILL blocks of a tile, at most two, after another.
template <class F, class Stored>
FN void repack(const Grid& grid, const RepackArgs& args) {
    constexpr unsigned AT_ONCE = F::FILL == 1 ? 1 : 2;
    const uint64_t per_tile = args.to.blocks / AT_ONCE;
    const uint64_t tiles = (args.count + TILE_ROWS - 1) / TILE_ROWS;
    const uint64_t units = tiles * per_tile;
    for (uint64_t first = grid.block * WARPS; first < units; first += grid.blocks * WARPS) {
        EACH_THREAD(t) {
            const uint64_t unit = first + t / WARP;
            const unsigned lane = t % WARP;
            if (unit < units) {
                const uint64_t tile = unit / per_tile, block = unit % per_tile * AT_ONCE;
                const uint8_t* rows[2];
                UNROLL for (unsigned r = 0; r < 2; ++r) {
                    const uint64_t row = tile * TILE_ROWS + lane / 4 + 8 * r;
                    rows[r] = row < args.count ? args.from + row * args.row_bytes : nullptr;
                }
                const uint64_t at = (args.first / TILE_ROWS + tile) * args.to.blocks + block;
                F::template repack<Stored>(args.to, at, rows, block, args.cols, lane);
            }
        }
    }
}

}  // namespace xielu_cuda
