// One elementwise op on n f32 values, again and again on the same buffers.

#include "bench.h"

#include <algorithm>
#include <cstdio>

int elementwise(const std::string & op, int64_t n, int threads) {
    Session s(threads);
    // Rows of 4096, as ggml divides work by rows.
    const int64_t cols = n % 4096 == 0 ? 4096 : n;
    const int64_t rows = n / cols;
    auto * x = s.tensor(GGML_TYPE_F32, cols, rows);
    auto * gate = s.tensor(GGML_TYPE_F32, cols, rows);
    auto * y = s.tensor(GGML_TYPE_F32, cols, rows);
    auto * squared = s.tensor(GGML_TYPE_F32, cols, rows);
    s.allocate(ggml_backend_cpu_buffer_type());
    // About nine in ten negative, as in trained layers.
    auto values = normal(size_t(n), 1);
    for (float & v : values) {
        v = 1.2f * v - 1.5f;
    }
    ggml_backend_tensor_set(x, values.data(), 0, ggml_nbytes(x));
    ggml_backend_tensor_set(gate, values.data(), 0, ggml_nbytes(gate));

    // Enough repeats that the start of a graph does not count.
    const int64_t repeats = std::clamp<int64_t>((1 << 20) / n, 1, 256);
    std::vector<ggml_tensor *> nodes;
    const auto add = [&](ggml_tensor * t, ggml_tensor * place) {
        Session::alias(t, place);
        nodes.push_back(t);
    };
    for (int64_t i = 0; i < repeats; i++) {
        if (op == "xielu") {
            add(ggml_xielu(s.ctx, x, -0.62f, 0.97f, 0.5f, -1e-6f), y);
        } else if (op == "silu") {
            add(ggml_silu(s.ctx, x), y);
        } else if (op == "swiglu") {
            add(ggml_swiglu_split(s.ctx, gate, x), y);
        } else if (op == "relu2") {
            add(ggml_relu(s.ctx, x), y);
            add(ggml_sqr(s.ctx, nodes.back()), squared);
        } else {
            fail("no op " + op);
        }
    }
    auto * g = s.graph(nodes);
    s.run(g);
    std::vector<double> times;
    const double end = seconds() + 0.5;
    while (times.size() < 5 || (seconds() < end && times.size() < 1000)) {
        times.push_back(s.run(g));
    }
    printf("ns %.5f\n", 1e9 * median(times) / double(n * repeats));
    return 0;
}
