// Products with the two matrices of the MLP, [FFN, HIDDEN] and [HIDDEN, FFN], in turn, cycling
// over copies that do not fit a cache together.

#include "bench.h"

#include <cstdio>

int product(const std::string & type_name, int64_t n, int threads, const std::string & buffer) {
    const ggml_type type = type_named(type_name);
    const auto buft = buffer_named(buffer);
    check_products(buft, type);
    Session s(threads);
    const size_t pair_bytes = 2 * ggml_row_size(type, HIDDEN) * size_t(FFN);
    const size_t pairs = (OUT_OF_CACHE + pair_bytes - 1) / pair_bytes;
    std::vector<ggml_tensor *> up, down;
    for (size_t i = 0; i < pairs; i++) {
        up.push_back(s.tensor(type, HIDDEN, FFN));
        down.push_back(s.tensor(type, FFN, HIDDEN));
    }
    s.allocate(buft);
    const auto up_bytes = encoded(type, FFN, HIDDEN, 1, 64);
    const auto down_bytes = encoded(type, HIDDEN, FFN, 2, 16);
    for (size_t i = 0; i < pairs; i++) {
        ggml_backend_tensor_set(up[i], up_bytes.data(), 0, up_bytes.size());
        ggml_backend_tensor_set(down[i], down_bytes.data(), 0, down_bytes.size());
    }
    auto * x = s.tensor(GGML_TYPE_F32, HIDDEN, n);
    auto * h = s.tensor(GGML_TYPE_F32, FFN, n);
    auto * h_out = s.tensor(GGML_TYPE_F32, FFN, n);
    auto * y = s.tensor(GGML_TYPE_F32, HIDDEN, n);
    s.allocate(ggml_backend_cpu_buffer_type());
    ggml_backend_tensor_set(x, normal(size_t(n * HIDDEN), 3).data(), 0, ggml_nbytes(x));
    ggml_backend_tensor_set(h, normal(size_t(n * FFN), 4).data(), 0, ggml_nbytes(h));

    std::vector<ggml_cgraph *> graphs;
    for (size_t i = 0; i < pairs; i++) {
        auto * a = ggml_mul_mat(s.ctx, up[i], x);
        Session::alias(a, h_out);
        auto * b = ggml_mul_mat(s.ctx, down[i], h);
        Session::alias(b, y);
        graphs.push_back(s.graph({a, b}));
    }
    s.run(graphs.back());
    std::vector<double> times;
    const double end = seconds() + 0.5;
    for (size_t i = 0; times.size() < 3 || seconds() < end; i++) {
        times.push_back(s.run(graphs[i % pairs]));
    }
    const double time = median(times);
    printf("ms %.5f\ngb_s %.4f\ngflop_s %.3f\n", 1e3 * time, double(pair_bytes) / time / 1e9,
           4.0 * double(HIDDEN * FFN * n) / time / 1e9);
    return 0;
}
