// What lies between the projections of queries, keys and values and attention: each head of
// queries and keys is normalised (where the model does that) and rotated by its position, keys and
// values go to the cache. A block takes a head, a thread an element.
#include "decoder.cuh"

namespace xielu_cuda {

struct RopeStoreArgs {
    // [tokens, heads * head_dim], rotated in place; [tokens, kv_heads * head_dim] twice.
    float* q;
    const float* k;
    const float* v;
    // Of the norms of each head of queries and keys; null without.
    const float* q_norm;
    const float* k_norm;
    // Cosines, then sines, of every position: [context, head_dim].
    const float* table;
    // [kv_heads, context, head_dim] in the cache's type.
    unsigned char* keys;
    unsigned char* values;
    // Of each token `stride` of them: one for every head that is stored, from 1 on.
    uint32_t* noted;
    uint64_t tokens;
    uint64_t position;
    uint64_t context;
    uint32_t heads;
    uint32_t kv_heads;
    uint32_t head_dim;
    uint32_t interleaved;
    uint32_t stride;
    float eps;
    // For values that are not finite, and for those that are not in the cache's type.
    uint32_t code;
    uint32_t code_stored;
};

// Element i of a head after rotation.
FN float rotated(const float* head, const float* table, unsigned i, unsigned dim, bool interleaved) {
    const unsigned half = dim / 2;
    const unsigned pair = interleaved ? i / 2 : i % half;
    const bool first = interleaved ? i % 2 == 0 : i < half;
    const unsigned a = interleaved ? 2 * pair : pair;
    const unsigned b = interleaved ? 2 * pair + 1 : pair + half;
    const float c = table[pair];
    const float s = table[half + pair];
    return first ? sub(mul(head[a], c), mul(head[b], s)) : add(mul(head[b], c), mul(head[a], s));
}

template <class Cache>
FN void rope_store(const Grid& grid, const RopeStoreArgs& args) {
    SHARED Gathered<float> squares;
    SHARED Gathered<uint32_t> bad;
    SHARED float head[WIDEST_HEAD];
    SHARED float turned[WIDEST_HEAD];
    const unsigned dim = args.head_dim;
    const unsigned stored = args.kv_heads;
    const unsigned all = args.heads + 2 * stored;
    for (uint64_t unit = grid.block; unit < args.tokens * all; unit += grid.blocks) {
        const uint64_t token = unit / all;
        const unsigned index = static_cast<unsigned>(unit % all);
        const bool is_query = index < args.heads;
        const bool is_key = !is_query && index < args.heads + stored;
        const unsigned own = is_query ? index : (index - args.heads) % stored;
        const float* from = is_query ? args.q : is_key ? args.k : args.v;
        from += (token * (is_query ? args.heads : stored) + own) * dim;
        const float* weight = is_query ? args.q_norm : is_key ? args.k_norm : nullptr;
        const float* table = args.table + (args.position + token) * dim;
        EACH_THREAD(t) {
            const float x = t < dim ? from[t] : 0.0f;
            if (t < dim) head[t] = x;
            squares.each[t] = mul(x, x);
        }
        BARRIER();
        if (weight) {
            EACH_THREAD(t) { squares.join(t, Sum()); }
            BARRIER();
            EACH_THREAD(t) {
                const float mean = div(squares.all(Sum()), static_cast<float>(dim));
                const float scale = div(1.0f, root(add(mean, args.eps)));
                if (t < dim) head[t] = mul(mul(head[t], scale), weight[t]);
            }
            BARRIER();
        }
        EACH_THREAD(t) {
            if (t < dim) {
                const bool turn = is_query || is_key;
                turned[t] = turn ? rotated(head, table, t, dim, args.interleaved != 0) : head[t];
            }
        }
        BARRIER();
        if (is_query) {
            EACH_THREAD(t) {
                if (t < dim) args.q[(token * args.heads + own) * dim + t] = turned[t];
            }
            continue;
        }
        unsigned char* to = is_key ? args.keys : args.values;
        to += (own * args.context + args.position + token) * Cache::row_bytes(dim);
        EACH_THREAD(t) {
            uint32_t worst = 0;
            if (t < dim) {
                const bool kept = Cache::store(to, turned, t);
                worst = !finite(turned[t]) ? 2 : !kept ? 1 : 0;
            }
            bad.each[t] = worst;
        }
        BARRIER();
        EACH_THREAD(t) { bad.join(t, Largest()); }
        BARRIER();
        EACH_THREAD(t) {
            const uint32_t worst = t == 0 ? bad.all(Largest()) : 0;
            if (worst) {
                const uint64_t slot = token * args.stride + 1 + (is_key ? 0 : stored) + own;
                note(args.noted + slot, worst == 2 ? args.code : args.code_stored);
            }
        }
    }
}

CACHE_KERNELS(rope_store, RopeStoreArgs, rope_store)

}  // namespace xielu_cuda
