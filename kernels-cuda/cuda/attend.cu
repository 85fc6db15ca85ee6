// Attention of queries over the KV cache, softmax(scale * keys . q) . values, in f32, with the
// softmax computed while the scores arrive (Milakov and Gimelshein, arXiv 1805.02867).
//
// A block has one head of keys and values, some of the heads that share it, some tokens, and a
// range of positions; a query is a row. Keys are scored 64 positions at a time, 32 of their elements
// in shared memory; then every thread adds up one element of the values for some of the rows.
#include "decoder.cuh"

namespace xielu_cuda {

struct AttendArgs {
    // [tokens, heads * head_dim]
    const float* q;
    // [kv_heads, context, head_dim] in the cache's type.
    const unsigned char* keys;
    const unsigned char* values;
    // [tokens, heads * head_dim] where one block sees all positions; else
    // [chunks, tokens, heads, head_dim + 2]: sums, the largest score, the sum of weights.
    float* out;
    uint64_t tokens;
    // Of the first token, which sees itself and all before it.
    uint64_t position;
    uint64_t context;
    // Positions of a block, a multiple of 64, and how many such ranges there are.
    uint64_t chunk;
    uint64_t chunks;
    uint32_t kv_heads;
    // Heads that share a head of keys and values.
    uint32_t group;
    uint32_t head_dim;
    float scale;
};

// The compiler's own choice would take more registers than some devices leave it.
#ifdef __CUDACC__
#define UNROLL_BY(n) _Pragma(#n)
#else
#define UNROLL_BY(n)
#endif

constexpr unsigned POSITIONS = 64;
constexpr unsigned SLICE = 32;
// Rows of a block at most, and sums of a thread.
constexpr unsigned ROWS = 32;
constexpr unsigned SUMS = 8;
constexpr unsigned QUERY_VALUES = SUMS * THREADS;
constexpr unsigned SCORERS = THREADS / POSITIONS;
constexpr unsigned A_ROW = THREADS / ROWS;

// How the heads of a block's group and its tokens become rows: known from the shape alone.
struct Rows {
    // Threads that share an element of the values, each having other rows.
    unsigned lanes;
    unsigned heads;
    unsigned tokens;
    // Blocks that the heads of a group take.
    unsigned parts;
};

FN Rows rows_of(unsigned head_dim, unsigned group) {
    const unsigned lanes = THREADS / head_dim;
    const unsigned most = lanes * SUMS < ROWS ? lanes * SUMS : ROWS;
    const unsigned heads = group < most ? group : most;
    return Rows{lanes, heads, most / heads, (group + heads - 1) / heads};
}

struct Partial {
    float at[SUMS];
};

template <class Cache>
FN void attend(const Grid& grid, const AttendArgs& args) {
    SHARED float query[QUERY_VALUES];
    SHARED float key[POSITIONS][SLICE + 1];
    SHARED float score[ROWS][POSITIONS + 1];
    SHARED float largest_of[THREADS];
    SHARED float sum_of[THREADS];
    SHARED float largest[ROWS];
    SHARED float sum[ROWS];
    SHARED float factor[ROWS];
    const unsigned dim = args.head_dim;
    const Rows shape = rows_of(dim, args.group);
    const unsigned heads = args.kv_heads * args.group;
    const uint64_t row_bytes = Cache::row_bytes(dim);
    const uint64_t tiles = (args.tokens + shape.tokens - 1) / shape.tokens;
    const uint64_t units = tiles * args.kv_heads * shape.parts * args.chunks;
    for (uint64_t unit = grid.block; unit < units; unit += grid.blocks) {
        const uint64_t chunk = unit % args.chunks;
        const uint64_t of_group = unit / args.chunks;
        const unsigned part = static_cast<unsigned>(of_group % shape.parts);
        const unsigned kv_head = static_cast<unsigned>(of_group / shape.parts % args.kv_heads);
        const uint64_t token = of_group / shape.parts / args.kv_heads * shape.tokens;
        const unsigned first_head = part * shape.heads;
        const unsigned those = args.group - first_head;
        const unsigned own_heads = those < shape.heads ? those : shape.heads;
        const uint64_t left = args.tokens - token;
        const unsigned own_tokens = left < shape.tokens ? static_cast<unsigned>(left) : shape.tokens;
        const unsigned rows = own_heads * own_tokens;
        const uint64_t first = chunk * args.chunk;
        // What the last token sees.
        const uint64_t seen = args.position + token + own_tokens;
        const uint64_t end = seen < first + args.chunk ? seen : first + args.chunk;
        const unsigned char* keys = args.keys + kv_head * args.context * row_bytes;
        const unsigned char* values = args.values + kv_head * args.context * row_bytes;
        // Row r is head `first_head + r % own_heads` of the group, of token `token + r / own_heads`.
        const auto index_of_row = [&](unsigned r) {
            return (token + r / own_heads) * heads + kv_head * args.group + first_head +
                   r % own_heads;
        };

        PerThread<Partial> sums;
        EACH_THREAD(t) {
            UNROLL_BY(unroll 1) for (unsigned i = t; i < rows * dim; i += THREADS) {
                query[i] = args.q[index_of_row(i / dim) * dim + i % dim];
            }
            if (t < ROWS) {
                largest[t] = -INFINITE;
                sum[t] = 0.0f;
            }
            UNROLL for (unsigned j = 0; j < SUMS; ++j) sums[t].at[j] = 0.0f;
        }
        for (uint64_t start = first; start < end; start += POSITIONS) {
            const unsigned count = end - start < POSITIONS ? static_cast<unsigned>(end - start)
                                                           : POSITIONS;
            PerThread<Partial> scores;
            EACH_THREAD(t) {
                UNROLL for (unsigned j = 0; j < SUMS; ++j) scores[t].at[j] = 0.0f;
            }
            for (unsigned slice = 0; slice < dim; slice += SLICE) {
                const unsigned width = dim - slice < SLICE ? dim - slice : SLICE;
                EACH_THREAD(t) {
                    const unsigned i = t % SLICE;
                    for (unsigned p = t / SLICE; p < POSITIONS; p += THREADS / SLICE) {
                        const bool there = p < count && i < width;
                        const unsigned char* row = keys + (start + p) * row_bytes;
                        key[p][i] = there ? Cache::load(row, slice + i) : 0.0f;
                    }
                }
                BARRIER();
                EACH_THREAD(t) {
                    const unsigned p = t % POSITIONS;
                    const unsigned from = t / POSITIONS;
                    UNROLL_BY(unroll 2) for (unsigned i = 0; i < width; ++i) {
                        const float k = key[p][i];
                        UNROLL for (unsigned j = 0; j < SUMS; ++j) {
                            const unsigned r = from + j * SCORERS;
                            if (r < rows) {
                                const float q = query[r * dim + slice + i];
                                scores[t].at[j] = fma(k, q, scores[t].at[j]);
                            }
                        }
                    }
                }
                BARRIER();
            }
            EACH_THREAD(t) {
                const unsigned p = t % POSITIONS;
                UNROLL for (unsigned j = 0; j < SUMS; ++j) {
                    const unsigned r = t / POSITIONS + j * SCORERS;
                    if (r < rows) {
                        const bool sees = start + p <= args.position + token + r / own_heads;
                        score[r][p] = sees ? mul(scores[t].at[j], args.scale) : -INFINITE;
                    }
                }
            }
            BARRIER();
            EACH_THREAD(t) {
                const unsigned r = t / A_ROW, from = t % A_ROW * (POSITIONS / A_ROW);
                float most = -INFINITE;
                if (r < rows) {
                    UNROLL for (unsigned i = 0; i < POSITIONS / A_ROW; ++i) {
                        most = max(most, score[r][from + i]);
                    }
                }
                largest_of[t] = most;
            }
            BARRIER();
            PerThread<float> most;
            EACH_THREAD(t) {
                const unsigned r = t / A_ROW, from = t % A_ROW * (POSITIONS / A_ROW);
                if (r < rows) {
                    float top = largest[r];
                    for (unsigned i = 0; i < A_ROW; ++i) {
                        top = max(top, largest_of[r * A_ROW + i]);
                    }
                    float weights = 0.0f;
                    UNROLL for (unsigned i = 0; i < POSITIONS / A_ROW; ++i) {
                        const float s = score[r][from + i];
                        // Of a row that sees nothing yet all are -inf.
                        const float w = s == -INFINITE ? 0.0f : exp_below(sub(s, top));
                        score[r][from + i] = is_nan(s) ? s : w;
                        weights = add(weights, is_nan(s) ? s : w);
                    }
                    sum_of[t] = weights;
                    most[t] = top;
                }
            }
            BARRIER();
            EACH_THREAD(t) {
                const unsigned r = t / A_ROW;
                if (t % A_ROW == 0 && r < rows) {
                    const float before = largest[r];
                    const float f = before == most[t] ? 1.0f : exp_below(sub(before, most[t]));
                    float weights = 0.0f;
                    for (unsigned i = 0; i < A_ROW; ++i) {
                        weights = add(weights, sum_of[r * A_ROW + i]);
                    }
                    sum[r] = add(mul(sum[r], f), weights);
                    largest[r] = most[t];
                    factor[r] = f;
                }
            }
            BARRIER();
            EACH_THREAD(t) {
                const unsigned lane = t / dim, i = t % dim;
                if (lane < shape.lanes) {
                    UNROLL for (unsigned j = 0; j < SUMS; ++j) {
                        const unsigned r = lane + j * shape.lanes;
                        if (r < rows) sums[t].at[j] = mul(sums[t].at[j], factor[r]);
                    }
                    UNROLL_BY(unroll 4) for (unsigned p = 0; p < count; ++p) {
                        const float v = Cache::load(values + (start + p) * row_bytes, i);
                        UNROLL for (unsigned j = 0; j < SUMS; ++j) {
                            const unsigned r = lane + j * shape.lanes;
                            if (r < rows) sums[t].at[j] = fma(score[r][p], v, sums[t].at[j]);
                        }
                    }
                }
            }
            // The barriers of the next positions' scores come before anything read here is written.
        }
        BARRIER();
        EACH_THREAD(t) {
            const unsigned lane = t / dim, i = t % dim;
            UNROLL for (unsigned j = 0; j < SUMS; ++j) {
                const unsigned r = lane + j * shape.lanes;
                if (lane < shape.lanes && r < rows) {
                    if (args.chunks == 1) {
                        const float inverse = div(1.0f, sum[r]);
                        args.out[index_of_row(r) * dim + i] = mul(sums[t].at[j], inverse);
                    } else {
                        const uint64_t row = chunk * args.tokens * heads + index_of_row(r);
                        float* out = args.out + row * (dim + 2);
                        out[i] = sums[t].at[j];
                        if (i == 0) {
                            out[dim] = largest[r];
                            out[dim + 1] = sum[r];
                        }
                    }
                }
            }
        }
        BARRIER();
    }
}

CACHE_KERNELS(attend, AttendArgs, attend)

struct CombineArgs {
    // [chunks, rows, head_dim + 2], as `attend` leaves it.
    const float* sums;
    // [rows, head_dim]
    float* out;
    uint64_t rows;
    uint64_t chunks;
    uint32_t head_dim;
};

// The chunks of each row, relative to their own largest scores, to one, in their order.
FN void combine(const Grid& grid, const CombineArgs& args) {
    const unsigned dim = args.head_dim;
    for (uint64_t row = grid.block; row < args.rows; row += grid.blocks) {
        EACH_THREAD(t) {
            if (t < dim) {
                const float* own = args.sums + row * (dim + 2);
                const uint64_t next = args.rows * (dim + 2);
                float largest = -INFINITE;
                for (uint64_t c = 0; c < args.chunks; ++c) {
                    largest = max(largest, own[c * next + dim]);
                }
                float out = 0.0f, total = 0.0f;
                for (uint64_t c = 0; c < args.chunks; ++c) {
                    const float f = exp_below(sub(own[c * next + dim], largest));
                    total = fma(f, own[c * next + dim + 1], total);
                    out = fma(f, own[c * next + t], out);
                }
                args.out[row * dim + t] = mul(out, div(1.0f, total));
            }
        }
    }
}

KERNEL(attend_combine, CombineArgs, combine)

}  // namespace xielu_cuda
