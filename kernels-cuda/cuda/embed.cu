// Rows of an embedding as f32, from the blocks of the file. A block takes 256 values of a token.
#include "decoder.cuh"

namespace xielu_cuda {

struct EmbedArgs {
    const unsigned char* table;
    const uint32_t* ids;
    // [tokens, width]
    float* y;
    uint64_t tokens;
    uint64_t row_bytes;
    uint32_t width;
    // Of the table; an id beyond them gives the first one.
    uint32_t rows;
};

FN float half_at(const unsigned char* p) {
    return F16::widen(*reinterpret_cast<const uint16_t*>(p));
}

struct Q4_0 {
    static FN float load(const unsigned char* row, unsigned i) {
        const unsigned char* block = row + i / QK * (2 + QK / 2);
        const unsigned at = i % QK;
        const unsigned byte = block[2 + at % (QK / 2)];
        const int q = static_cast<int>(at < QK / 2 ? byte & 15 : byte >> 4) - 8;
        return mul(half_at(block), static_cast<float>(q));
    }
};

constexpr unsigned QK_K = 256;

struct Q4_K {
    static FN float load(const unsigned char* row, unsigned i) {
        const unsigned char* block = row + i / QK_K * 144;
        const unsigned char* t = block + 4;
        const unsigned at = i % QK_K, group = at / 32;
        const unsigned low = t[group % 4], mid = t[group % 4 + 4], high = t[group % 4 + 8];
        const unsigned scale = group < 4 ? low & 63 : (high & 15) | (low >> 6) << 4;
        const unsigned min = group < 4 ? mid & 63 : high >> 4 | (mid >> 6) << 4;
        const unsigned byte = block[16 + at / 64 * 32 + at % 32];
        const unsigned q = group % 2 == 0 ? byte & 15 : byte >> 4;
        const float scaled = mul(mul(half_at(block), static_cast<float>(scale)),
                                 static_cast<float>(q));
        return sub(scaled, mul(half_at(block + 2), static_cast<float>(min)));
    }
};

struct Q6_K {
    static FN float load(const unsigned char* row, unsigned i) {
        const unsigned char* block = row + i / QK_K * 210;
        const unsigned at = i % QK_K, half = at / 128, group = at % 128 / 32, lane = at % 32;
        const unsigned low = block[half * 64 + group % 2 * 32 + lane] >> (group / 2 * 4) & 15;
        const unsigned high = block[128 + half * 32 + lane] >> (2 * group) & 3;
        const int q = static_cast<int>(low | high << 4) - 32;
        const int scale = static_cast<int8_t>(block[192 + at / 16]);
        return mul(static_cast<float>(q), mul(half_at(block + 208), static_cast<float>(scale)));
    }
};

template <class Row>
FN void embed(const Grid& grid, const EmbedArgs& args) {
    const uint64_t pieces = (args.width + THREADS - 1) / THREADS;
    for (uint64_t unit = grid.block; unit < args.tokens * pieces; unit += grid.blocks) {
        const uint64_t token = unit / pieces;
        const unsigned start = static_cast<unsigned>(unit % pieces) * THREADS;
        const uint32_t id = args.ids[token] < args.rows ? args.ids[token] : 0;
        const unsigned char* row = args.table + id * args.row_bytes;
        EACH_THREAD(t) {
            const unsigned i = start + t;
            if (i < args.width) args.y[token * args.width + i] = Row::load(row, i);
        }
    }
}

CACHE_KERNELS(embed, EmbedArgs, embed)
KERNEL(embed_q4_0, EmbedArgs, embed<Q4_0>)
KERNEL(embed_q4_k, EmbedArgs, embed<Q4_K>)
KERNEL(embed_q6_k, EmbedArgs, embed<Q6_K>)

}  // namespace xielu_cuda
