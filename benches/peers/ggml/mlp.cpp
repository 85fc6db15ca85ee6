// The whole MLP, up -> xIELU -> down: its time, and its error against f64.

#include "bench.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <thread>

namespace {

constexpr float ALPHA_P = 0.97f, ALPHA_N = -0.62f, BETA = 0.5f, EPS = -1e-6f;
// Of the weights that the error is measured on: all different.
constexpr int64_t DISTINCT = FFN;

// Inputs, outputs and what is between them, shared by all layers as in a decoder.
struct Values {
    ggml_tensor *x, *h, *a, *y;

    Values(Session & s, int64_t n)
        : x(s.tensor(GGML_TYPE_F32, HIDDEN, n)), h(s.tensor(GGML_TYPE_F32, FFN, n)),
          a(s.tensor(GGML_TYPE_F32, FFN, n)), y(s.tensor(GGML_TYPE_F32, HIDDEN, n)) {
        s.allocate(ggml_backend_cpu_buffer_type());
    }
};

ggml_tensor * xielu(Session & s, ggml_tensor * h) {
    return ggml_xielu(s.ctx, h, ALPHA_N, ALPHA_P, BETA, EPS);
}

// One layer's weights and its graph.
struct Layer {
    ggml_tensor *up, *down;
    ggml_cgraph * whole;

    Layer(Session & s, ggml_type type, ggml_backend_buffer_type_t buft, const Values & values)
        : up(s.tensor(type, HIDDEN, FFN)), down(s.tensor(type, FFN, HIDDEN)) {
        s.allocate(buft);
        auto * h = ggml_mul_mat(s.ctx, up, values.x);
        auto * a = xielu(s, h);
        auto * y = ggml_mul_mat(s.ctx, down, a);
        Session::alias(h, values.h);
        Session::alias(a, values.a);
        Session::alias(y, values.y);
        whole = s.graph({y});
    }

    void set_weights(const std::vector<uint8_t> & up_bytes, const std::vector<uint8_t> & down_bytes) {
        ggml_backend_tensor_set(up, up_bytes.data(), 0, up_bytes.size());
        ggml_backend_tensor_set(down, down_bytes.data(), 0, down_bytes.size());
    }
};

void write(FILE * f, const void * data, size_t bytes) {
    if (fwrite(data, 1, bytes, f) != bytes) {
        fail("cannot write");
    }
}

void read(FILE * f, void * data, size_t bytes) {
    if (fread(data, 1, bytes, f) != bytes) {
        fail("cannot read");
    }
}

double softplus(double v) { return std::log1p(std::exp(v)); }

double xielu_f64(double v) {
    const double p = softplus(ALPHA_P), q = BETA + softplus(ALPHA_N);
    return v > 0 ? p * v * v + BETA * v : q * (std::expm1(std::fmin(v, EPS)) - v) + BETA * v;
}

// Runs `row(r)` for every row on all threads.
template <typename F> void for_rows(int64_t rows, F row) {
    const int64_t count = std::max(1u, std::thread::hardware_concurrency());
    std::vector<std::thread> threads;
    for (int64_t t = 0; t < count; t++) {
        threads.emplace_back([=] {
            for (int64_t r = t; r < rows; r += count) {
                row(r);
            }
        });
    }
    for (auto & thread : threads) {
        thread.join();
    }
}

// `out[t][r] = sum over c of w[r][c] * x[t][c]` in f64, of the values the bytes decode to.
std::vector<double> product_f64(ggml_type type, const std::vector<uint8_t> & w, int64_t rows,
                                int64_t cols, const std::vector<double> & x, int64_t n) {
    std::vector<double> out(size_t(n * rows));
    const size_t row_bytes = ggml_row_size(type, cols);
    for_rows(rows, [&, row_bytes](int64_t r) {
        std::vector<float> values(static_cast<size_t>(cols));
        const uint8_t * bytes = &w[size_t(r) * row_bytes];
        if (type == GGML_TYPE_F32) {
            std::copy_n(reinterpret_cast<const float *>(bytes), cols, values.begin());
        } else {
            ggml_get_type_traits(type)->to_float(bytes, values.data(), cols);
        }
        for (int64_t t = 0; t < n; t++) {
            double sum = 0;
            for (int64_t c = 0; c < cols; c++) {
                sum += double(values[size_t(c)]) * x[size_t(t * cols + c)];
            }
            out[size_t(t * rows + r)] = sum;
        }
    });
    return out;
}

} // namespace

int mlp(const std::string & type_name, int64_t n, int threads, const std::string & buffer) {
    const ggml_type type = type_named(type_name);
    const auto buft = buffer_named(buffer);
    check_products(buft, type);
    Session s(threads);
    const size_t layer_bytes = 2 * ggml_row_size(type, HIDDEN) * size_t(FFN);
    const size_t count = (OUT_OF_CACHE + layer_bytes - 1) / layer_bytes;
    const auto up_bytes = encoded(type, FFN, HIDDEN, 1, 64);
    const auto down_bytes = encoded(type, HIDDEN, FFN, 2, 16);
    Values values(s, n);
    std::vector<Layer> layers;
    for (size_t i = 0; i < count; i++) {
        layers.emplace_back(s, type, buft, values);
        layers[i].set_weights(up_bytes, down_bytes);
    }
    ggml_backend_tensor_set(values.x, normal(size_t(n * HIDDEN), 3).data(), 0,
                            ggml_nbytes(values.x));
    // The activation alone, on what the last layer's `up` made.
    auto * a = xielu(s, values.h);
    Session::alias(a, values.a);
    auto * only = s.graph({a});

    std::vector<double> times, activation;
    s.run(layers.back().whole);
    const double end = seconds() + 0.5;
    for (size_t i = 0; times.size() < 3 || seconds() < end; i++) {
        times.push_back(s.run(layers[i % count].whole));
        activation.push_back(s.run(only));
    }
    const double time = median(times);
    printf("ms %.5f\nactivation_ms %.5f\ngb_s %.4f\ngflop_s %.3f\n", 1e3 * time,
           1e3 * median(activation), double(layer_bytes) / time / 1e9,
           4.0 * double(HIDDEN * FFN * n) / time / 1e9);
    return 0;
}

// The file: up, down as encoded, x as f32, y as f64.
int mlp_data(const std::string & type_name, int64_t n, const std::string & path) {
    const ggml_type type = type_named(type_name);
    const auto up = encoded(type, FFN, HIDDEN, 11, DISTINCT);
    const auto down = encoded(type, HIDDEN, FFN, 12, DISTINCT);
    const auto x = normal(size_t(n * HIDDEN), 13);
    auto h = product_f64(type, up, FFN, HIDDEN, std::vector<double>(x.begin(), x.end()), n);
    for (double & v : h) {
        v = xielu_f64(v);
    }
    const auto y = product_f64(type, down, HIDDEN, FFN, h, n);
    FILE * f = fopen(path.c_str(), "wb");
    if (!f) {
        fail("cannot create " + path);
    }
    write(f, up.data(), up.size());
    write(f, down.data(), down.size());
    write(f, x.data(), x.size() * sizeof(float));
    write(f, y.data(), y.size() * sizeof(double));
    if (fclose(f) != 0) {
        fail("cannot write " + path);
    }
    return 0;
}

int mlp_error(const std::string & type_name, int64_t n, const std::string & buffer,
              const std::string & path) {
    const ggml_type type = type_named(type_name);
    FILE * f = fopen(path.c_str(), "rb");
    if (!f) {
        fail("cannot open " + path);
    }
    const size_t matrix = ggml_row_size(type, HIDDEN) * size_t(FFN);
    std::vector<uint8_t> up(matrix), down(matrix);
    std::vector<float> x(static_cast<size_t>(n * HIDDEN)), y(x.size());
    std::vector<double> want(x.size());
    read(f, up.data(), matrix);
    read(f, down.data(), matrix);
    read(f, x.data(), x.size() * sizeof(float));
    read(f, want.data(), want.size() * sizeof(double));
    fclose(f);

    const auto buft = buffer_named(buffer);
    check_products(buft, type);
    Session s(1);
    Values values(s, n);
    Layer layer(s, type, buft, values);
    layer.set_weights(up, down);
    ggml_backend_tensor_set(values.x, x.data(), 0, ggml_nbytes(values.x));
    s.run(layer.whole);
    ggml_backend_tensor_get(values.y, y.data(), 0, ggml_nbytes(values.y));
    double error = 0, norm = 0;
    for (size_t i = 0; i < y.size(); i++) {
        error += (y[i] - want[i]) * (y[i] - want[i]);
        norm += want[i] * want[i];
    }
    printf("relative_error %.6e\n", std::sqrt(error / norm));
    return 0;
}
