// Times ggml's CPU kernels through its public API. One measurement a call, `key value` lines out.

#include "bench.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>

void fail(const std::string & message, int code) {
    fprintf(stderr, "ggml-bench: %s\n", message.c_str());
    exit(code);
}

std::vector<float> normal(size_t n, uint64_t seed) {
    std::mt19937_64 engine(seed);
    std::normal_distribution<float> deviates;
    std::vector<float> values(n);
    for (float & v : values) {
        v = deviates(engine);
    }
    return values;
}

double seconds() {
    using clock = std::chrono::steady_clock;
    return std::chrono::duration<double>(clock::now().time_since_epoch()).count();
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const size_t n = values.size();
    return n == 0 ? 0.0 : 0.5 * (values[(n - 1) / 2] + values[n / 2]);
}

ggml_type type_named(const std::string & name) {
    for (int i = 0; i < GGML_TYPE_COUNT; i++) {
        const auto type = ggml_type(i);
        const char * known = ggml_type_name(type);
        if (known && strcasecmp(known, name.c_str()) == 0) {
            return type;
        }
    }
    fail("no type " + name);
}

std::vector<ggml_backend_buffer_type_t> extra_buffers() {
    auto * get = reinterpret_cast<ggml_backend_dev_get_extra_bufts_t>(
        ggml_backend_reg_get_proc_address(ggml_backend_cpu_reg(), "ggml_backend_dev_get_extra_bufts"));
    std::vector<ggml_backend_buffer_type_t> found;
    auto * list = get ? get(ggml_backend_reg_dev_get(ggml_backend_cpu_reg(), 0)) : nullptr;
    for (; list && *list; list++) {
        found.push_back(*list);
    }
    return found;
}

ggml_backend_buffer_type_t buffer_named(const std::string & name) {
    if (name == "plain") {
        return ggml_backend_cpu_buffer_type();
    }
    for (auto buft : extra_buffers()) {
        if (name == ggml_backend_buft_name(buft)) {
            return buft;
        }
    }
    fail("no buffer type " + name + " in this build", 3);
}

Session::Session(int threads) {
    backend = ggml_backend_cpu_init();
    ggml_backend_cpu_set_n_threads(backend, threads);
    const size_t graphs = 4 * ggml_graph_overhead_custom(4096, false);
    ctx = ggml_init({ggml_tensor_overhead() * 32768 + graphs, nullptr, true});
}

Session::~Session() {
    for (auto * buffer : buffers) {
        ggml_backend_buffer_free(buffer);
    }
    ggml_free(ctx);
    ggml_backend_free(backend);
}

ggml_tensor * Session::tensor(ggml_type type, int64_t cols, int64_t rows) {
    return ggml_new_tensor_2d(ctx, type, cols, rows);
}

void Session::allocate(ggml_backend_buffer_type_t buft) {
    buffers.push_back(ggml_backend_alloc_ctx_tensors_from_buft(ctx, buft));
    if (!buffers.back()) {
        fail("out of memory");
    }
}

void Session::alias(ggml_tensor * t, ggml_tensor * place) {
    t->buffer = place->buffer;
    t->data = place->data;
}

ggml_cgraph * Session::graph(const std::vector<ggml_tensor *> & nodes) {
    auto * g = ggml_new_graph_custom(ctx, 4096, false);
    for (auto * node : nodes) {
        ggml_build_forward_expand(g, node);
    }
    return g;
}

double Session::run(ggml_cgraph * g) {
    const double start = seconds();
    if (ggml_backend_graph_compute(backend, g) != GGML_STATUS_SUCCESS) {
        fail("the graph failed");
    }
    return seconds() - start;
}

void check_products(ggml_backend_buffer_type_t buft, ggml_type type) {
    Session s(1);
    auto * device = ggml_backend_reg_dev_get(ggml_backend_cpu_reg(), 0);
    auto * empty = ggml_backend_buft_alloc_buffer(buft, 0);
    auto * up = s.tensor(type, HIDDEN, FFN);
    auto * down = s.tensor(type, FFN, HIDDEN);
    for (auto * w : {up, down}) {
        w->buffer = empty;
        auto * y = ggml_mul_mat(s.ctx, w, s.tensor(GGML_TYPE_F32, w->ne[0], 1));
        if (!ggml_backend_dev_supports_op(device, y)) {
            fail(std::string("no product for ") + ggml_type_name(type) + " in " +
                     ggml_backend_buft_name(buft), 3);
        }
    }
    ggml_backend_buffer_free(empty);
}

std::vector<uint8_t> encoded(ggml_type type, int64_t rows, int64_t cols, uint64_t seed,
                             int64_t distinct) {
    distinct = std::min(distinct, rows);
    std::vector<float> values = normal(size_t(distinct * cols), seed);
    for (float & v : values) {
        v *= 0.02f; // as in trained layers
    }
    const size_t row = ggml_row_size(type, cols);
    std::vector<uint8_t> bytes(row * size_t(rows));
    ggml_quantize_chunk(type, values.data(), bytes.data(), 0, distinct, cols, nullptr);
    // In random order: a scalar kernel's branches must not see a period.
    std::mt19937_64 engine(seed);
    for (int64_t r = distinct; r < rows; r++) {
        memcpy(&bytes[size_t(r) * row], &bytes[engine() % size_t(distinct) * row], row);
    }
    return bytes;
}

static int info() {
    printf("version %s\n", ggml_version());
    printf("avx2 %d\navx_vnni %d\navx512 %d\navx512_vnni %d\namx_int8 %d\n", ggml_cpu_has_avx2(),
           ggml_cpu_has_avx_vnni(), ggml_cpu_has_avx512(), ggml_cpu_has_avx512_vnni(),
           ggml_cpu_has_amx_int8());
    printf("buffer plain\n");
    for (auto buft : extra_buffers()) {
        printf("buffer %s\n", ggml_backend_buft_name(buft));
    }
    return 0;
}

int main(int argc, char ** argv) {
    const std::vector<std::string> args(argv + 1, argv + argc);
    const auto is = [&](const char * name, size_t n) { return args.size() == n && args[0] == name; };
    ggml_cpu_init();
    if (is("info", 1)) {
        return info();
    }
    if (is("elementwise", 4)) {
        return elementwise(args[1], std::stoll(args[2]), std::stoi(args[3]));
    }
    if (is("product", 5)) {
        return product(args[1], std::stoll(args[2]), std::stoi(args[3]), args[4]);
    }
    if (is("mlp", 5)) {
        return mlp(args[1], std::stoll(args[2]), std::stoi(args[3]), args[4]);
    }
    if (is("mlp-data", 4)) {
        return mlp_data(args[1], std::stoll(args[2]), args[3]);
    }
    if (is("mlp-error", 5)) {
        return mlp_error(args[1], std::stoll(args[2]), args[3], args[4]);
    }
    fail("usage: ggml-bench info\n"
         "       ggml-bench elementwise xielu|relu2|silu|swiglu N THREADS\n"
         "       ggml-bench product|mlp TYPE TOKENS THREADS BUFFER\n"
         "       ggml-bench mlp-data TYPE TOKENS FILE\n"
         "       ggml-bench mlp-error TYPE TOKENS BUFFER FILE");
}
