// What the parts of ggml-bench share: tensors in a chosen buffer, graphs, medians.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ggml-backend.h"
#include "ggml-cpu.h"
#include "ggml.h"

// The Apertus-8B MLP.
constexpr int64_t HIDDEN = 4096;
constexpr int64_t FFN = 21504;
// Weights cycle over copies of this size together, so that they come from main memory.
constexpr size_t OUT_OF_CACHE = size_t(768) << 20;

// Prints the message and exits; with 3 where ggml has no such path, so that a caller can tell.
[[noreturn]] void fail(const std::string & message, int code = 2);

// Seeded normal deviates.
std::vector<float> normal(size_t n, uint64_t seed);

double seconds();
double median(std::vector<double> values);

ggml_type type_named(const std::string & name);
// `plain`, or one of the names that `ggml-bench info` prints.
ggml_backend_buffer_type_t buffer_named(const std::string & name);
std::vector<ggml_backend_buffer_type_t> extra_buffers();

// A backend and the tensors of one measurement.
class Session {
  public:
    explicit Session(int threads);
    ~Session();
    Session(const Session &) = delete;

    // Only a description until `allocate` gives it memory.
    ggml_tensor * tensor(ggml_type type, int64_t cols, int64_t rows);
    // Gives memory to every tensor created since the last call.
    void allocate(ggml_backend_buffer_type_t buft);
    // Puts `t` into the memory of `place`.
    static void alias(ggml_tensor * t, ggml_tensor * place);

    ggml_cgraph * graph(const std::vector<ggml_tensor *> & nodes);
    // Seconds that one run of the graph takes.
    double run(ggml_cgraph * g);

    ggml_context * ctx;

  private:
    ggml_backend_t backend;
    std::vector<ggml_backend_buffer_t> buffers;
};

// Fails with code 3 unless ggml multiplies by the MLP's matrices of `type` kept in `buft`.
void check_products(ggml_backend_buffer_type_t buft, ggml_type type);

// Weights `[rows, cols]` in ggml's encoding: a few random rows, encoded and repeated.
std::vector<uint8_t> encoded(ggml_type type, int64_t rows, int64_t cols, uint64_t seed,
                             int64_t distinct);

int elementwise(const std::string & op, int64_t n, int threads);
int product(const std::string & type, int64_t n, int threads, const std::string & buffer);
int mlp(const std::string & type, int64_t n, int threads, const std::string & buffer);
int mlp_data(const std::string & type, int64_t n, const std::string & path);
int mlp_error(const std::string & type, int64_t n, const std::string & buffer,
              const std::string & path);
